"""Events out: the ledger read once more, as facts for others."""
