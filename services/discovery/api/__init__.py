"""gRPC in: messages to domain values, and back."""
