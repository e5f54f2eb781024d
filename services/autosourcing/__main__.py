"""Serves AutoSourcing: ``python -m services.autosourcing``."""

from services.autosourcing.app import build
from services.autosourcing.settings import Settings
from services.chassis.run import run

if __name__ == "__main__":
    run("autosourcing", Settings, build)
