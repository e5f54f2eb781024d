"""What discovery can be asked for: finding, scoring, estimating, stepping and reading."""
