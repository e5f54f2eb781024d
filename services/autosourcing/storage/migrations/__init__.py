"""How the schema ``autosourcing`` came to be."""
