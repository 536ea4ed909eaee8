"""The picture that a simulated person sends."""

from __future__ import annotations

import struct
import zlib


def picture(side: int = 96) -> bytes:
    """Draw a PNG of a sunrise: bands of one colour each."""
    rows = b"".join(
        b"\0" + bytes((255 - line, 120 + line, 60 + line)) * side for line in range(side)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
