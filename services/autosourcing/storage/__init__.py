"""Where jobs, picks and profiles are kept: PostgreSQL, the schema ``autosourcing``."""
