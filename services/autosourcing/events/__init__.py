"""What goes out to and comes in from the broker."""
