"""AutoSourcing: turns candidates into picks, as durable jobs within a token envelope."""
