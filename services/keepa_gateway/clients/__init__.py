"""What the gateway calls: Keepa over HTTP, budget over gRPC."""
