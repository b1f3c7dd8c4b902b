"""The connections that the server's loop waits for, and how long it waits for each."""

from __future__ import annotations

import selectors
import time
from collections.abc import Sequence

from heap_exporter.web.connection import Connection


class Watch:
    """The connections among what ``selector`` waits for. All of it belongs to the loop's thread."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector

    def add(self, connection: Connection, seconds: float) -> None:
        """Wait for what a client sends, for so long."""
        connection.socket.setblocking(False)
        connection.deadline = time.monotonic() + seconds
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def drop(self, connection: Connection) -> None:
        """Wait for it no more."""
        self._selector.unregister(connection.socket)

    def connections(self) -> Sequence[Connection]:
        """Return all that are waited for."""
        return [key.data for key in self._selector.get_map().values() if isinstance(key.data, Connection)]

    def max_idle(self) -> Connection | None:
        """Return, of those who had their time to send a request, who is nearest to the deadline."""
        now = time.monotonic()
        idle = (connection for connection in self.connections() if connection.spared_until <= now)
        return min(idle, key=lambda connection: connection.deadline, default=None)

    def seconds_to_deadline(self, *, has_place: bool) -> float | None:
        """Return for how long nothing needs to be done; without a place, nobody is spared longer than promised."""
        watched = self.connections()
        moments = [connection.deadline for connection in watched]
        if not has_place:
            moments += [connection.spared_until for connection in watched]
        return max(min(moments) - time.monotonic(), 0.0) if moments else None
