"""Starts the command line."""

from services.cli.app import app


def main() -> None:
    """Run `avault`."""
    app()


if __name__ == "__main__":
    main()
