"""Drains the pipes of a sandboxed run, each to its own cap, until all are closed, one overflows or time is up."""

from __future__ import annotations

import os
import selectors
import time

from auditor.sandbox.request import Dialogue

_CHUNK = 1 << 16
_SETTLE_SECONDS = 5.0


class Pump:
    """Bytes read so far by channel name in `data`; never more than the cap of the channel."""

    def __init__(self, ends: dict[str, int], caps: dict[str, int], dialogue: Dialogue | None = None) -> None:
        self.data: dict[str, bytearray] = {name: bytearray() for name in ends}
        self.seconds = 0.0
        self._ends, self._caps, self._dialogue = ends, caps, dialogue
        self._passed = 0

    def drain(self, seconds: float) -> str | None:
        """Read until every writer is gone. Return None, "wall time", or the name of the channel that overflowed.

        The record of the supervisor on "control" ends the draining too: it is written after the program's end.
        """
        started = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for name, descriptor in self._ends.items():
                selector.register(descriptor, selectors.EVENT_READ, name)
            while selector.get_map():
                self.seconds = time.monotonic() - started
                if self.seconds > seconds:
                    return "wall time"
                if self._dialogue is not None and self._dialogue.abandoned():
                    return "abandoned"
                for key, _ in selector.select(min(1.0, seconds)):
                    chunk = os.read(key.fd, _CHUNK)
                    name = str(key.data)
                    if not chunk:
                        selector.unregister(key.fd)
                        continue
                    if not self._take(name, chunk):
                        return name
        self.seconds = time.monotonic() - started
        return None

    def _take(self, name: str, chunk: bytes) -> bool:
        """Keep or pass on `chunk`; return False where it exceeds the cap of its channel."""
        if name == "report" and self._dialogue is not None:
            self._passed += len(chunk)
            self._dialogue.received(chunk)
            return self._passed <= self._caps[name]
        room = self._caps[name] - len(self.data[name])
        self.data[name] += chunk[:room]
        return len(chunk) <= room

    def settle(self) -> None:
        """Wait until every writer is gone after a kill, throwing away what they still sent.

        Namespaces are torn down a moment after their first process was killed; afterwards nothing of the run is left.
        """
        ends = time.monotonic() + _SETTLE_SECONDS
        with selectors.DefaultSelector() as selector:
            for descriptor in self._ends.values():
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map() and time.monotonic() < ends:
                for key, _ in selector.select(0.1):
                    if not os.read(key.fd, _CHUNK):
                        selector.unregister(key.fd)
