"""The scoring model: product facts in, an explained score to the cent out."""
