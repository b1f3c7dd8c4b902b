"""HTTP requests that another thread can cancel, so that a stop does not wait for a receiver that does not answer."""

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
"""Default timeout of a connection that is being made, which cannot be cancelled."""


class CancellableAdapter(HTTPAdapter):
    """Sends requests until :meth:`cancel`, which ends the current one and refuses later ones."""

    def __init__(self, connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS) -> None:
        self._connect_timeout_seconds = connect_timeout_seconds
        self._pools: WeakSet[HTTPConnectionPool] = WeakSet()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._cancelled = False
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """Return the connection pool for any HTTP request; its sockets are registered for :meth:`cancel`."""
        pool = cast("HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        if pool not in self._pools:
            self._pools.add(pool)
            pool.ConnectionCls = _observed(pool.ConnectionCls, self._add_socket)
        return pool

    def send(  # noqa: PLR0917  # the signature of the base class
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send any HTTP request as the base class does, unless cancelled; ``timeout`` is in seconds.

        Raises ``ConnectionError`` after :meth:`cancel`, and ``InvalidURL`` on a redirection.
        """
        if self._cancelled:
            raise requests.ConnectionError("the exporter is stopping")
        bounded = (min(timeout, self._connect_timeout_seconds), timeout)
        response = super().send(request, stream=stream, timeout=bounded, verify=verify, cert=cert, proxies=proxies)
        if response.is_redirect:  # a POST cannot follow it, and OpenTelemetry's exporter counts it as a success
            response.close()
            raise requests.exceptions.InvalidURL(
                f"it redirects to {response.headers['Location']}; use that address instead"
            )
        return response

    def cancel(self) -> None:
        """End the current HTTP request and refuse all later ones. Any thread may call it."""
        self._cancelled = True
        for connected in list(self._sockets):
            _shut(connected)

    def _add_socket(self, connected: socket.socket) -> None:
        self._sockets.add(connected)
        if self._cancelled:
            _shut(connected)


def _observed(connection_class: type[Any], opened: Callable[[socket.socket], None]) -> type[Any]:
    """Return a subclass of ``connection_class`` that calls ``opened`` with every socket that it connects."""

    def connect(self: Any) -> None:
        connection_class.connect(self)
        opened(self.sock)

    return type(connection_class.__name__, (connection_class,), {"connect": connect})


def _shut(connected: socket.socket) -> None:
    # shutdown() wakes a thread that waits in recv(); close() does not.
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
