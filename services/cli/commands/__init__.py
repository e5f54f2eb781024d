"""The commands of `avault`, by what they are about."""
