"""Which call of the gateway each priced line of the truth log belongs to."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Line = Mapping[str, Any]


def unexplained(lines: Sequence[Line], attempts: Sequence[Line]) -> list[str]:
    """Pair every priced line with one call that had held tokens before it arrived.

    Lines are taken in the order of their arrival, and each takes the call whose time ends
    first, which finds a full pairing when there is one. A call is paired once, so a second
    payment under one call is left over as well.
    """
    free: dict[str, list[Line]] = {}
    for call in calls_of(attempts):
        free.setdefault(call["endpoint"], []).append(call)
    found = []
    for line in sorted(lines, key=lambda line: line["arrived_ms"]):
        candidates = free.get(str(line["path"]).strip("/"), [])
        fitting = [attempt for attempt in candidates if _fits(line, attempt)]
        if not fitting:
            shown = {key: line[key] for key in ("seq", "path", "arrived_ms", "tokensConsumed")}
            found.append(f"INV-11/12: nothing was held for {json.dumps(shown)}")
            continue
        candidates.remove(min(fitting, key=lambda attempt: _ms(attempt["give_up_at"])))
    return found


def calls_of(attempts: Sequence[Line]) -> list[Line]:
    """Put together the attempts of several payers that went out as one call."""
    shared: dict[Any, list[Line]] = {}
    for attempt in attempts:
        shared.setdefault(attempt["call_id"] or attempt["attempt_id"], []).append(attempt)
    return [parts[0] if len(parts) == 1 else _one_call(parts) for parts in shared.values()]


def _one_call(parts: Sequence[Line]) -> Line:
    costs = [part["consumed"] for part in parts]
    return {
        "endpoint": parts[0]["endpoint"],
        "subjects": [subject for part in parts for subject in part["subjects"]],
        "held_at": max(part["held_at"] for part in parts),
        "started_at": min(part["started_at"] for part in parts),
        "give_up_at": max(part["give_up_at"] for part in parts),
        "consumed": None if None in costs else sum(costs),
    }


def _fits(line: Line, attempt: Line) -> bool:
    if not _ms(attempt["held_at"]) <= _ms(attempt["started_at"]) <= line["arrived_ms"] + 1:
        return False
    if line["arrived_ms"] > _ms(attempt["give_up_at"]):
        return False
    asked = line["params"].get("asin")
    if asked is not None and set(asked.split(",")) != set(attempt["subjects"]):
        return False
    return attempt["consumed"] is None or attempt["consumed"] == line["tokensConsumed"]


def _ms(instant: datetime) -> float:
    return instant.timestamp() * 1000
