"""The gateway: the only part that talks to Keepa, and accounts for every call it makes."""
