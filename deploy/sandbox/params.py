"""Reading Keepa's query parameters as strictly as Keepa does."""

import re
from collections.abc import Mapping

from deploy.sandbox.envelope import Refused

INVALID = "You used an invalid parameter for this API call."
DOMAINS = frozenset(range(1, 13)) - {7}
ASIN = re.compile(r"[0-9A-Z]{10}")


class Params:
    """One request's parameters; names Keepa does not know are ignored, as Keepa does.

    Attributes:
        fails: The ordered fault that the endpoint itself has to show; empty when there is none.
    """

    def __init__(self, values: Mapping[str, str], *, fails: str = "") -> None:
        self._values = values
        self.fails = fails

    def text(self, name: str) -> str | None:
        """Return the parameter, or None when it is absent or empty."""
        return self._values.get(name) or None

    def required(self, name: str) -> str:
        """Return the parameter or refuse."""
        value = self.text(name)
        if value is None:
            raise Refused(INVALID, details=name)
        return value

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Return a whole number, or ``default`` when it is absent."""
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise Refused(INVALID, details=name)
        return int(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a 0/1 switch; ``true`` and ``false`` are taken too."""
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in {"0", "1", "true", "false"}:
            raise Refused(INVALID, details=name)
        return value.lower() in {"1", "true"}

    def listing(self, name: str, limit: int) -> list[str]:
        """Return a comma separated list of 1 to ``limit`` entries, or an empty one if absent."""
        value = self.text(name)
        entries = [entry.strip() for entry in value.split(",")] if value else []
        if len(entries) > limit or not all(entries):
            raise Refused(INVALID, details=name)
        return entries

    def refused(self, name: str) -> Refused:
        """Return the refusal of one parameter."""
        return Refused(INVALID, details=name)

    def domain(self) -> int:
        """Return the Amazon locale: 1 to 12 without 7."""
        domain = self.integer("domain")
        if domain not in DOMAINS:
            raise Refused(INVALID, details="domain")
        assert domain is not None
        return domain


def require_asins(entries: list[str], name: str = "asin") -> list[str]:
    """Return the entries if each looks like an ASIN, else refuse."""
    if not all(ASIN.fullmatch(entry) for entry in entries):
        raise Refused(INVALID, details=name)
    return entries
