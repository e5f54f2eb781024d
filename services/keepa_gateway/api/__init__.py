"""gRPC in: the servicer, requests as values of the domain, and its values as responses."""
