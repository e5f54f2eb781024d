"""The peers: each module knows one stub and translates what it says."""
