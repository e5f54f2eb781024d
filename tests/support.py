"""What tests of every service are written with."""

from deploy.local import ports
from services.chassis.testing import FakeClock, Served, refusal, serve, settings

__all__ = ["FakeClock", "Served", "free_base", "refusal", "serve", "settings"]


def free_base() -> int:
    """Return a number above which seven neighbouring ports are free."""
    while True:
        base = ports.free_port()
        if not any(ports.is_taken(base + each) for each in range(1, 8)):
            return base
