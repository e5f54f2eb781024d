"""The command line of ArbitrageVault: `avault`."""
