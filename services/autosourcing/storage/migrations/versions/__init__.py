"""One file per step, in the order of their numbers; a released one never changes."""
