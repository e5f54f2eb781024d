"""What the gateway knows about Keepa: pure values and functions, without any input or output."""
