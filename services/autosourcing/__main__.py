"""Serves AutoSourcing: ``python -m services.autosourcing``."""

from services.autosourcing.app import NAME, build
from services.autosourcing.settings import Settings
from services.chassis.run import run

if __name__ == "__main__":
    run(NAME, Settings, build)
