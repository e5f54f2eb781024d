"""What the gateway tells the other services."""
