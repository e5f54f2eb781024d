"""The history of budget's tables."""
