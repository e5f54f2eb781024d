"""What runs the services: the one-command local stack and the stand-in for Keepa."""
