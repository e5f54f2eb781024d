"""What the service can be asked for: one writer for each account, and the requests on top."""
