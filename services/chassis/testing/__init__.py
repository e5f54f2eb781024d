"""What tests of services share: engines that really run, a clock that obeys, a server in-process."""

from services.chassis.testing.clock import FakeClock
from services.chassis.testing.refused import refusal
from services.chassis.testing.serving import Served, serve, settings

__all__ = ["FakeClock", "Served", "refusal", "serve", "settings"]
