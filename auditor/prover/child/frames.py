"""The frame format of results on the pipe."""

from __future__ import annotations

import os
import struct

FRAME = struct.Struct("<II")
"""Length of the name and of the body."""

REAL_WRITE = os.write


def send(fd: int, name: str, body: bytes) -> None:
    """Write one named result to the pipe."""
    label = name.encode()
    data = memoryview(FRAME.pack(len(label), len(body)) + label + body)
    while data:
        data = data[REAL_WRITE(fd, data) :]
