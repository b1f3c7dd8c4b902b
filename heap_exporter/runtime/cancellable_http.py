"""HTTP requests that another thread can cut short, so that stopping need not wait for a silent receiver."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any, cast
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

CONNECT_TIMEOUT_SECONDS = 1.0
"""Bounds what cannot be cut short, a connection that is still being made, unless told otherwise."""


class CancellableAdapter(HTTPAdapter):
    """Sends requests until :meth:`cancel`, which ends the one under way and refuses those to come."""

    def __init__(self, connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS) -> None:
        self._connect_timeout_seconds = connect_timeout_seconds
        self._pools: WeakSet[HTTPConnectionPool] = WeakSet()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._cancelled = False
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """Return the pool for a request, with :meth:`cancel` told of every connection that it makes."""
        pool = cast("HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        if pool not in self._pools:
            self._pools.add(pool)
            pool.ConnectionCls = _notifier(pool.ConnectionCls, self._opened)
        return pool

    def send(  # noqa: PLR0917  # as the class above has it
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send as :class:`HTTPAdapter` does; ``timeout`` is in seconds.

        Raises ``ConnectionError`` once interrupted, and ``InvalidURL`` on a redirection, which a POST cannot follow and
        which OTLP's exporter would take for a success.
        """
        if self._cancelled:
            raise requests.ConnectionError("the exporter is stopping")
        bounded = (min(timeout, self._connect_timeout_seconds), timeout)
        response = super().send(request, stream=stream, timeout=bounded, verify=verify, cert=cert, proxies=proxies)
        if response.is_redirect:
            response.close()
            raise requests.exceptions.InvalidURL(f"it redirects to {response.headers['Location']}: push there")
        return response

    def cancel(self) -> None:
        """End the request under way and all later ones. Any thread may call it."""
        self._cancelled = True
        for connected in list(self._sockets):
            _shut(connected)

    def _opened(self, connected: socket.socket) -> None:
        self._sockets.add(connected)
        if self._cancelled:
            _shut(connected)


def _notifier(connection_class: type[Any], opened: Callable[[socket.socket], None]) -> type[Any]:
    """Return ``connection_class`` with every socket that it connects told to ``opened``."""

    def connect(self: Any) -> None:
        connection_class.connect(self)
        opened(self.sock)

    return type(connection_class.__name__, (connection_class,), {"connect": connect})


def _shut(connected: socket.socket) -> None:
    # Wakes a thread that waits in recv(), which close() would not.
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
