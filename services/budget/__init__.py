"""Rations the Keepa tokens of each account: the token ledger."""
