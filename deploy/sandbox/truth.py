"""What really happened: every request and every balance, for whoever audits the client."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

LINES_KEPT = 100_000
CHANGES_KEPT = 20_000


@dataclass(frozen=True)
class Line:
    """One line of the truth log, in the order in which balances changed.

    The log can be added up: ``tokensLeft`` is the previous line's plus ``refilled``
    less ``tokensConsumed``.

    Attributes:
        kind: ``request``, ``foreign`` (somebody else spent), ``credit`` (Keepa gave some) or
            ``plan`` (the plan changed).
        params: Never holds the key.
        refilled: Net tokens that ticks brought since the previous line.
        overflowed: Tokens that ticks lost at the full bucket since the previous line.
        tokensLeft: The true balance afterwards, whatever the answer claimed.
        fault: The misbehaviour that was played, if any.
    """

    seq: int
    kind: str
    arrived_ms: int
    finished_ms: int
    path: str
    params: dict[str, str]
    status: int
    tokensConsumed: int  # noqa: N815 - the log speaks Keepa's own words
    tokensLeft: int  # noqa: N815
    refilled: int
    overflowed: int
    fault: str | None = None


@dataclass(frozen=True)
class Change:
    """One step of the balance.

    Attributes:
        cause: ``tick``, ``spend``, ``foreign``, ``credit`` or ``plan``.
    """

    at_ms: int
    left: int
    cause: str


class TruthLog:
    """Keeps the newest lines in memory and, when given a file, all of them there."""

    def __init__(self, file: Path | None = None) -> None:
        self._lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._changes: deque[Change] = deque(maxlen=CHANGES_KEPT)
        self._file = file.open("a", encoding="utf-8", buffering=1) if file else None
        self._next_seq = 1

    @property
    def next_seq(self) -> int:
        """The sequence number the next line gets; the first is 1."""
        return self._next_seq

    def record(self, line: Line) -> None:
        """Append a line; it reaches the file before the request is answered."""
        assert line.seq == self._next_seq
        self._next_seq += 1
        self._lines.append(line)
        if self._file:
            self._file.write(json.dumps(asdict(line)) + "\n")

    def changed(self, change: Change) -> None:
        """Remember one step of the balance."""
        self._changes.append(change)

    def lines(self, after: int = 0) -> Iterator[str]:
        """Yield the lines still in memory whose sequence is above ``after``, as JSON."""
        return (json.dumps(asdict(line)) + "\n" for line in self._lines if line.seq > after)

    def changes(self) -> list[dict[str, object]]:
        """Return the newest steps of the balance, oldest first."""
        return [asdict(change) for change in self._changes]

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
