"""One module per path of the API."""
