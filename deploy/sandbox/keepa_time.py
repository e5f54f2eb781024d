"""Keepa counts time in minutes since 2011-01-01T00:00Z."""

EPOCH_MINUTES = 21_564_000
MINUTES_PER_DAY = 1_440
MS_PER_MINUTE = 60_000


def minute_of(unix_ms: int) -> int:
    """Return the Keepa minute that holds ``unix_ms``.

    Source:
        keepa_api.md 3.3, after the official client's ``KeepaTime``.
    """
    return unix_ms // MS_PER_MINUTE - EPOCH_MINUTES


def unix_ms_of(minute: int) -> int:
    """Return the first millisecond of a Keepa minute, in unix time."""
    return (minute + EPOCH_MINUTES) * MS_PER_MINUTE
