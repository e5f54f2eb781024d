"""What the service can be asked, one module per sort of question."""
