"""gRPC in: the servicer, and every translation between the contract and the domain."""
