"""Reading the JSON selections of the finder and of deals."""

import json
import re
from typing import Any

from deploy.sandbox.envelope import Refused

MOST_IN_LIST = 50


def read_selection(text: str | None) -> dict[str, Any]:
    """Return the selection's fields, or refuse what is no JSON object."""
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise Refused("The queryJSON is missing or invalid.") from error
    if not isinstance(value, dict):
        raise Refused("The queryJSON is missing or invalid.")
    return value


def bad_field(name: str) -> Refused:
    """Return the refusal that names one field of a selection."""
    return Refused("The queryJSON is of invalid format.", details=name)


def whole(value: Any, name: str, least: int, most: int) -> int:
    """Return a whole number; like Keepa, take one that is written as a string too."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise bad_field(name)
    return value


def boolean(value: Any, name: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise bad_field(name)
    return value


def numbers(value: Any, name: str, *, least: int = 1) -> list[int]:
    """Return one number or a list of ``least`` to 50."""
    entries = value if isinstance(value, list) else [value]
    if not least <= len(entries) <= MOST_IN_LIST:
        raise bad_field(name)
    return [whole(entry, name, -1, 2**63 - 1) for entry in entries]


def texts(value: Any, name: str) -> list[str]:
    """Return one text or a list of up to 50."""
    entries = value if isinstance(value, list) else [value]
    if not 1 <= len(entries) <= MOST_IN_LIST or not all(isinstance(e, str) for e in entries):
        raise bad_field(name)
    return entries
