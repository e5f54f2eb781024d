"""The ledger in PostgreSQL: append-only entries, snapshots, and the relay's cursor."""
