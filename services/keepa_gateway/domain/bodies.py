"""Taking an answer's bytes apart without holding the event loop."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from services.keepa_gateway.domain.envelope import Envelope

Shape = TypeVar("Shape")

_MARK = re.compile(rb'["{}]')
# Up to the next brace outside of a string, without ever turning back: one step in C, however far.
_BRACE = re.compile(rb'(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+([{}])', re.DOTALL)
_AFTER_KEY = re.compile(rb"\s*:\s*\[\s*")
_COST = b'"tokensConsumed"'
_AFTER_ITEM = re.compile(rb"\s*([,\]])\s*")


class BrokenBody(Exception):  # noqa: N818 - it names what was found, not a programming error
    """The bytes are not a whole Keepa answer: truncated, nested absurdly, or no JSON at all."""


@dataclass(slots=True)
class Slices:
    """The items of one top-level array of objects, cut out one at a time.

    A hundred books are 24 MB. Decoding them in one go would stop every other call for a second, so
    the body is cut at the items' braces first, and each item is decoded on its own.

    Attributes:
        rest: After the last item, the body without the items: small enough to decode at once.
    """

    body: bytes
    name: str
    rest: bytes = field(default=b"", init=False)

    def __iter__(self) -> Iterator[bytes]:
        start, position = self._array()
        if start < 0:
            self.rest = self.body
            return
        while self.body[position : position + 1] == b"{":
            end = self._object_end(position)
            yield self.body[position:end]
            position = end
            following = _AFTER_ITEM.match(self.body, end)
            if following is None:
                raise BrokenBody
            if following[1] == b"]":
                position = following.start(1)
                break
            position = following.end()
        if self.body[position : position + 1] != b"]":
            raise BrokenBody
        self.rest = self.body[:start] + b"[]" + self.body[position + 1 :]

    def _array(self) -> tuple[int, int]:
        """Find the top-level array: where its bracket opens, and where its first item begins."""
        depth = position = 0
        key = self.name.encode()
        while (mark := _MARK.search(self.body, position)) is not None:
            position = mark.end()
            if mark[0] != b'"':
                depth += 1 if mark[0] == b"{" else -1
                continue
            position = self._string_end(position)
            if depth == 1 and self.body[mark.end() : position - 1] == key:
                opening = _AFTER_KEY.match(self.body, position)
                if opening is not None:
                    return self.body.index(b"[", position), opening.end()
        return -1, -1

    def _object_end(self, position: int) -> int:
        """Find the end of the object that begins at ``position``."""
        depth = 0
        while (brace := _BRACE.match(self.body, position)) is not None:
            position = brace.end()
            depth += 1 if brace[1] == b"{" else -1
            if depth == 0:
                return position
        raise BrokenBody

    def _string_end(self, position: int) -> int:
        """Find the end of the string whose opening quote is right before ``position``."""
        end = self.body.find(b'"', position)
        while end >= 0:
            before = self.body[position:end]
            if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
                return end + 1
            end = self.body.find(b'"', end + 1)
        raise BrokenBody


def envelope(body: bytes) -> Envelope:
    """Read the token fields of a body, whatever else is in it.

    Raises:
        BrokenBody: It is not one JSON object, or states its cost twice: no two readers of such a
            body agree on which one counts.
    """
    if body.count(_COST) > 1:
        raise BrokenBody
    return decoded(body, Envelope)


def decoded(body: bytes, kind: type[Shape]) -> Shape:
    """Decode strictly as JSON and leniently as to unknown fields.

    Raises:
        BrokenBody: It is not JSON, or not of this shape.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BrokenBody from error
