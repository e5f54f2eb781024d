"""DiscoveryService: finds candidate products, scores them to the cent and remembers both."""
