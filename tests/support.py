"""What tests of every service are written with."""

from services.chassis.testing import FakeClock, Served, refusal, serve, settings

__all__ = ["FakeClock", "Served", "refusal", "serve", "settings"]
