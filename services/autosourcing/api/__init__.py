"""What callers see: the servicer and its translations."""
