"""The contract of KeepaGatewayService over gRPC."""
