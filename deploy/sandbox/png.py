"""The smallest PNG: lines of a few colours on white."""

import struct
import zlib
from collections.abc import Sequence

PALETTE = bytes([255, 255, 255, 255, 90, 0, 0, 120, 200, 0, 150, 60, 120, 120, 120])
"""White, then the colours of the lines: Amazon, new, used, sales rank."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Canvas:
    """A picture of palette numbers."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._rows = [bytearray(width) for _ in range(height)]

    def step_line(self, heights: Sequence[int], colour: int) -> None:
        """Draw one height for each column; between two of them the line is upright."""
        before = heights[0] if heights else 0
        for column, height in enumerate(heights[: self.width]):
            for level in range(min(before, height), max(before, height) + 1):
                self._rows[self.height - 1 - level][column] = colour
            before = height

    def encode(self) -> bytes:
        """Return the file."""
        size = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        lines = b"".join(b"\x00" + row for row in self._rows)
        chunks = (b"IHDR" + size, b"PLTE" + PALETTE, b"IDAT" + zlib.compress(lines), b"IEND")
        return _SIGNATURE + b"".join(map(_framed, chunks))


def _framed(chunk: bytes) -> bytes:
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
