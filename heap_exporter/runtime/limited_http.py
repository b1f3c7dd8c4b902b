"""HTTP requests whose answers are limited in bytes and in time, and that another thread can cancel.

So an endless answer takes little memory, and a stop does not wait for a receiver that does not answer.
"""

from __future__ import annotations

import contextlib
import functools
import io
import socket
from collections.abc import Callable, Mapping
from typing import Any, cast
from weakref import WeakSet

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from heap_exporter.runtime.answer_limits import AnswerLimits

CONNECT_TIMEOUT_SECONDS = 1.0
"""Default timeout of a connection that is being made, which cannot be cancelled."""

ANSWER_SECONDS = 10.0
"""Time limit of an answer where the request sets none."""

MAX_ANSWER_BYTES = 1 << 20
"""An answer that is larger, headers included, is an error."""

MAX_BODY_BYTES = 1 << 16
"""How much of a body is read: enough for the error message of a receiver."""

_POOL_FINDERS = ("get_connection_with_tls_context", "get_connection")
"""The method of an adapter that returns the connections to a host: from requests 2.32 on, and before."""


class LimitedAdapter(BaseAdapter):
    """Sends requests until :meth:`cancel`, which ends the current one and refuses later ones; one request at a time.

    An answer must be complete within the timeout of its request, even if it arrives byte by byte. Its body ends after
    :data:`MAX_BODY_BYTES`, and is empty if it is compressed although the request forbids that: a small compressed body
    can be a huge one. ``inner`` sends the requests.
    """

    def __init__(
        self, connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS, inner: BaseAdapter | None = None
    ) -> None:
        super().__init__()
        self._connect_timeout_seconds = connect_timeout_seconds
        self._limits = AnswerLimits(MAX_ANSWER_BYTES)
        self._pools: WeakSet[HTTPConnectionPool] = WeakSet()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._cancelled = False
        self._inner = inner or HTTPAdapter()
        if isinstance(self._inner, HTTPAdapter):
            self._watch_connections(self._inner)

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

        With ``stream`` the body is neither read nor limited. Raises ``ConnectionError`` after :meth:`cancel`, and
        ``InvalidURL`` on a redirection.
        """
        if self._cancelled:
            raise requests.ConnectionError("the exporter is stopping")
        seconds = timeout if isinstance(timeout, (int, float)) else ANSWER_SECONDS
        bounded = (min(seconds, self._connect_timeout_seconds), seconds)
        request.headers["Accept-Encoding"] = "identity"
        self._limits.begin(seconds)
        response = self._inner.send(request, stream=stream, timeout=bounded, verify=verify, cert=cert, proxies=proxies)
        if response.is_redirect:  # a POST cannot follow it, and OpenTelemetry's exporter counts it as a success
            response.close()
            raise requests.exceptions.InvalidURL(
                f"it redirects to {response.headers['Location']}; use that address instead"
            )
        if not stream:
            response.raw = io.BytesIO(_beginning(response))
        return response

    def cancel(self) -> None:
        """End the current HTTP request and refuse all later ones. Any thread may call it."""
        self._cancelled = True
        for connected in list(self._sockets):
            _shut(connected)

    def close(self) -> None:
        """Close the connections that wait for further requests."""
        self._inner.close()

    def _watch_connections(self, adapter: HTTPAdapter) -> None:
        """Apply the limits to all connections of ``adapter``, and register their sockets for :meth:`cancel`."""
        for name in _POOL_FINDERS:
            if find_pool := getattr(adapter, name, None):
                setattr(adapter, name, functools.partial(self._watched_pool, find_pool))

    def _watched_pool(self, find_pool: Callable[..., Any], *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = cast("HTTPConnectionPool", find_pool(*args, **kwargs))
        if pool not in self._pools:
            self._pools.add(pool)
            pool.ConnectionCls = self._limits.applied_to(pool.ConnectionCls, self._add_socket)
        return pool

    def _add_socket(self, connected: socket.socket) -> None:
        self._sockets.add(connected)
        if self._cancelled:
            _shut(connected)


def _beginning(response: requests.Response) -> bytes:
    """Return the beginning of an answer's body, and close the connection if there is more.

    An incomplete body counts as empty: the status, which has arrived, states whether the receiver accepted the request.
    """
    body = b""
    if response.headers.get("Content-Encoding", "identity") == "identity":
        with contextlib.suppress(HTTPError, OSError):
            body = response.raw.read(MAX_BODY_BYTES, decode_content=False)
    response.raw.close()
    return body


def _shut(connected: socket.socket) -> None:
    # shutdown() wakes a thread that waits in recv(); close() does not.
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
