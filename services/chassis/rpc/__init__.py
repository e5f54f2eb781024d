"""gRPC both ways: a server whose errors and deadlines are uniform, and channels that pass them."""
