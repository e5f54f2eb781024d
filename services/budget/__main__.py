"""Serves budget: `python -m services.budget`."""

from services.budget.app import NAME, build
from services.budget.settings import Settings
from services.chassis.run import run

if __name__ == "__main__":
    run(NAME, Settings, build)
