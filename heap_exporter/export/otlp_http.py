"""Sends OTLP over HTTP with the SDK's exporter, on a session whose requests another thread can cut short.

Without that, stopping would wait for a silent receiver until the exporter's timeout.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, cast
from weakref import WeakSet

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

from heap_exporter.export.otlp_receiver import Receiver

CONNECT_TIMEOUT_SECONDS = 1.0
"""Bounds what cannot be cut short: a connection that is still being made."""

_CREDENTIAL_PROVIDERS = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER",
)


class HttpSender:
    """Sends metrics to one receiver over HTTP; headers, timeout, compression, certificates are the exporter's."""

    def __init__(self, receiver: Receiver) -> None:
        self._adapter = InterruptibleAdapter()
        self._exporter = OTLPMetricExporter(endpoint=receiver.url, session=self._session())

    def send(self, data: MetricsData) -> bool:
        """Return whether the receiver took the data."""
        return self._exporter.export(data) is MetricExportResult.SUCCESS

    def close(self) -> None:
        """End the request under way and refuse later ones. Any thread may call it."""
        self._exporter.shutdown()
        self._adapter.interrupt()

    def _session(self) -> requests.Session | None:
        # The exporter makes the session itself where a plug-in is to sign its requests; that one cannot be cut short.
        if any(os.environ.get(key) for key in _CREDENTIAL_PROVIDERS):
            return None
        session = requests.Session()
        session.mount("http://", self._adapter)
        session.mount("https://", self._adapter)
        return session


class InterruptibleAdapter(HTTPAdapter):
    """Sends requests until :meth:`interrupt`, which ends the one under way and refuses those to come."""

    def __init__(self) -> None:
        self._pools: WeakSet[HTTPConnectionPool] = WeakSet()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._interrupted = False
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """Return the pool for a request, with :meth:`interrupt` told of every connection that it makes."""
        pool = cast("HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        if pool not in self._pools:
            self._pools.add(pool)
            pool.ConnectionCls = _telling(pool.ConnectionCls, self._opened)
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

        Raises ``ConnectionError`` once interrupted, and ``InvalidURL`` on a redirection, which the exporter would not
        follow and yet take for a success.
        """
        if self._interrupted:
            raise requests.ConnectionError("the exporter is stopping")
        bounded = (min(timeout, CONNECT_TIMEOUT_SECONDS), timeout)
        response = super().send(request, stream=stream, timeout=bounded, verify=verify, cert=cert, proxies=proxies)
        if response.is_redirect:
            response.close()
            raise requests.exceptions.InvalidURL(f"it redirects to {response.headers['Location']}: push there")
        return response

    def interrupt(self) -> None:
        """End the request under way and all later ones. Any thread may call it."""
        self._interrupted = True
        for connected in list(self._sockets):
            _shut(connected)

    def _opened(self, connected: socket.socket) -> None:
        self._sockets.add(connected)
        if self._interrupted:
            _shut(connected)


def _telling(connection_class: type[Any], opened: Callable[[socket.socket], None]) -> type[Any]:
    """Return ``connection_class`` with every socket that it connects told to ``opened``."""

    def connect(self: Any) -> None:
        connection_class.connect(self)
        opened(self.sock)

    return type(connection_class.__name__, (connection_class,), {"connect": connect})


def _shut(connected: socket.socket) -> None:
    # Wakes a thread that waits in recv(), which close() would not.
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
