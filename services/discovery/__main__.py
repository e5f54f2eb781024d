"""Serves discovery: ``python -m services.discovery``."""

from services.chassis.run import run
from services.discovery.app import NAME, build
from services.discovery.settings import Settings

if __name__ == "__main__":
    run(NAME, Settings, build)
