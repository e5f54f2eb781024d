"""The ledger as pure functions over frozen data: what may be granted, and what each fact changes."""
