"""Serves the gateway: `python -m services.keepa_gateway`."""

from services.chassis.run import run
from services.keepa_gateway.app import NAME, build
from services.keepa_gateway.settings import Settings

if __name__ == "__main__":
    run(NAME, Settings, build)
