"""What the gateway can be asked, one module per verb."""
