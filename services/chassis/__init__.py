"""What every service needs and no domain knows: running, settings, errors, rpc, events, sql."""
