"""The gateway's own schema: attempts, snapshots, lists and the state of the way out."""
