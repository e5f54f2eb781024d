"""What tests of every service are written with."""

from deploy.local import ports
from services.chassis.testing import FakeClock, Served, refusal, serve, settings

__all__ = ["FakeClock", "Served", "free_base", "refusal", "serve", "settings"]


def free_base() -> int:
    """Return a number above which the seven ports of a stack are free."""
    return ports.free_block(8)
