"""Serves discovery: ``python -m services.discovery``."""

from services.chassis.run import run
from services.discovery.app import build
from services.discovery.settings import Settings

if __name__ == "__main__":
    run("discovery", Settings, build)
