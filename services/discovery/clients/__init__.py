"""The peers that discovery asks: the gateway and budget."""
