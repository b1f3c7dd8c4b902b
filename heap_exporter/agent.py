"""The composition root: one monitor a process, the ways it tells, and what becomes of both in a fork.

Only this module starts the threads that tell; the monitor has its own.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from heap_exporter.errors import HeapExporterError, PortTaken
from heap_exporter.export.otel_internals import OpenTelemetryChanged
from heap_exporter.export.otlp_receiver import find_receiver
from heap_exporter.model import Census, SnapshotInfo, Verdict
from heap_exporter.monitor import HeapMonitor
from heap_exporter.notify.listeners import LeakListener
from heap_exporter.runtime import forks, port_conflict
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import start_thread
from heap_exporter.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from heap_exporter.export.otlp import Pusher
    from heap_exporter.export.prometheus import HeapCollector, MetricsPage
    from heap_exporter.web.app import App
    from heap_exporter.web.server import Server

STOP_SECONDS = 1.6
"""How long stopping waits for all threads together."""


class HeapExporter:
    """A monitor, and the ways in which it tells: a port, a registry of the application's, a mounted app, OTLP.

    Get it from :func:`start`; ``with heap_exporter.start():`` stops it at the end of the block.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.monitor = HeapMonitor(settings)
        self.monitor.in_child = self._tell_in_child
        self._registered: list[tuple[CollectorRegistry, HeapCollector]] = []
        self._metrics_page: MetricsPage | None = None
        self._wants_http = False
        self._reset()

    def _reset(self) -> None:
        self._server: Server | None = None
        self._pusher: Pusher | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    @property
    def url(self) -> str | None:
        """Return the address of the status page, ``None`` while no port is open."""
        return self._server.url if self._server else None

    def snapshot(self, reason: str = "asked for by the application") -> SnapshotInfo:
        """Take a snapshot now. Raises :class:`~heap_exporter.errors.SnapshotError`, which says why there is none."""
        return self.monitor.snapshot(reason)

    def census(self) -> Census:
        """Count all objects by type now. Raises :class:`~heap_exporter.errors.SourceMissing` on a frozen heap."""
        return self.monitor.census()

    def verdict(self) -> Verdict | None:
        """Return what the detector thinks, ``None`` before the first sample."""
        return self.monitor.verdict()

    def on(self, event: str, listener: LeakListener) -> None:
        """Have ``listener`` called at each ``"leak"``."""
        self.monitor.on(event, listener)

    def stop(self) -> None:
        """End threads, sockets and pushes within two seconds. A second call does nothing."""
        _forget(self)
        deadline = time.monotonic() + STOP_SECONDS
        self._stopping.set()
        self.monitor.ask_to_stop()
        if self._server:
            self._server.stop()
        if self._pusher:
            self._pusher.stop()
        self.monitor.stop(deadline)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(deadline - time.monotonic(), 0))
        for registry, collector in self._registered:
            registry.unregister(collector)
        self._registered.clear()
        self._server = self._pusher = None

    def __enter__(self) -> HeapExporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _push(self) -> None:
        """Push from now on if there is a receiver. Raises :class:`SettingsError` on a bad one."""
        receiver = find_receiver(self.settings.otlp_endpoint)
        if receiver:
            try:
                from heap_exporter.export.otlp import Pusher

                self._pusher = Pusher(receiver, self.monitor.reading, self.monitor.count_push)
            except (OpenTelemetryChanged, ImportError) as error:
                log.warning("metrics are not pushed to %s: %s", receiver.name, error)
                return
            self._in_thread("push", functools.partial(self._pusher.run, self._stopping))

    def _listen(self, *, forked: bool = False) -> None:
        """Open the port, or a free one if a relative has it. Raises :class:`PortTaken` if a stranger has it."""
        from heap_exporter.web.server import Server

        if self._server:
            return
        host, port = self.settings.host, self.settings.port
        app = self._app(trust_loopback=True)
        try:
            self._server = Server(app, host, port)
        except PortTaken:
            if not forked and not port_conflict.is_sibling_exporter(host, port):
                raise
            self._server = Server(app, host, 0)
        self._wants_http = True
        self._server.start()
        moved = not forked and port not in (0, self._server.port)
        log.log(
            logging.WARNING if moved else logging.INFO,
            "heap-exporter of process %d answers on %s%s",
            os.getpid(), self.url, f": a relative of it has port {port}" if moved else "",
        )  # fmt: skip  # format and arguments together
        if not forked:
            self._announce_openness(self._server.host)

    def _announce_openness(self, host: str) -> None:
        """Say what other machines can read, where they can reach the port and nobody has thought of a token."""
        from heap_exporter.web.auth import OPEN_PATHS, is_loopback

        if self.settings.token or is_loopback(host):
            return
        log.warning(
            "heap-exporter listens on %s without a token: whoever can reach it can read %s, with names of types; "
            "everything else is refused to other machines. HEAP_EXPORTER_TOKEN opens it to who has the token, "
            "HEAP_EXPORTER_HOST=127.0.0.1 closes all of it",
            host, " and ".join(sorted(OPEN_PATHS, reverse=True)),
        )  # fmt: skip  # format and arguments together

    def _app(self, trust_loopback: bool) -> App:
        from heap_exporter.export.prometheus import MetricsPage
        from heap_exporter.web.app import App

        if self._metrics_page is None:
            self._metrics_page = MetricsPage(self.monitor.reading)
            self.monitor.on_reading(self._metrics_page.publish)
        return App(self.monitor, self._metrics_page.render, token=self.settings.token, trust_loopback=trust_loopback)

    def _register(self, registry: CollectorRegistry) -> None:
        from heap_exporter.export.prometheus import HeapCollector

        if all(known is not registry for known, _ in self._registered):
            collector = HeapCollector(self.monitor.reading)
            registry.register(collector)
            self._registered.append((registry, collector))

    def _in_thread(self, name: str, target: Callable[[], None]) -> None:
        self._threads.append(start_thread(name, target))

    def after_fork(self) -> None:
        """In a forked child: close what is the parent's. The monitor's new thread opens the child's own port later."""
        global _starting  # noqa: PLW0603  # another thread may have held the parent's at the moment of the fork
        _starting = threading.RLock()
        if self._server:
            self._server.abandon()
        self._reset()

    def _tell_in_child(self) -> None:
        try:
            self._push()
            if self._wants_http:
                self._listen(forked=True)
        except HeapExporterError as error:
            log.warning("heap-exporter of forked process %d: %s", os.getpid(), error)
        except Exception:  # nobody above us in this thread
            log.exception("heap-exporter of forked process %d tells nothing", os.getpid())


_current: HeapExporter | None = None
_starting = threading.RLock()


def start(**settings: Any) -> HeapExporter:
    """Start the exporter with its own port, and return it; when it runs already, return that one.

    Keywords are the fields of :class:`~heap_exporter.settings.Settings` and win over ``HEAP_EXPORTER_*``.
    Raises :class:`~heap_exporter.errors.SettingsError` and :class:`~heap_exporter.errors.PortTaken`.
    """
    with _starting:
        ran_before = _current is not None
        exporter = _running(settings)
        if exporter.settings.enabled and exporter.settings.http:
            try:
                exporter._listen()
            except BaseException:
                if not ran_before:
                    exporter.stop()
                raise
        return exporter


def register(registry: CollectorRegistry | None = None, **settings: Any) -> HeapExporter:
    """Start the monitor and put its metrics into a registry of the application's (default: client_python's own).

    Raises :class:`~heap_exporter.errors.SettingsError`, and ``ValueError`` if another collector has our names.
    """
    from prometheus_client import REGISTRY

    with _starting:
        exporter = _running(settings)
        if exporter.settings.enabled:
            exporter._register(REGISTRY if registry is None else registry)
        return exporter


def make_wsgi_app(**settings: Any) -> App:
    """Start the monitor and return all of its pages as a WSGI application to mount, with a token to be set.

    Raises :class:`~heap_exporter.errors.SettingsError`.
    """
    with _starting:
        return _running(settings)._app(trust_loopback=False)


def make_asgi_app(**settings: Any) -> Callable[..., Awaitable[None]]:
    """Return the ASGI twin of :func:`make_wsgi_app`."""
    from a2wsgi import WSGIMiddleware

    # a2wsgi's type of a WSGI environment is narrower than werkzeug's and the standard's own.
    pages = cast("Any", make_wsgi_app(**settings))
    middlewares: dict[int, WSGIMiddleware] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        # The threads of a middleware that has answered before a fork do not exist in the child.
        if os.getpid() not in middlewares:
            middlewares.clear()
            middlewares[os.getpid()] = WSGIMiddleware(pages, workers=2)
        await middlewares[os.getpid()](scope, receive, send)

    return app


def current() -> HeapExporter | None:
    """Return the exporter of this process, ``None`` when none runs."""
    return _current


def _running(overrides: dict[str, Any]) -> HeapExporter:
    """Return the exporter of this process, made and begun if there is none."""
    global _current  # noqa: PLW0603  # one exporter a process is the contract
    if _current is not None:
        if overrides and Settings.load(**overrides) != _current.settings:
            log.warning("heap-exporter runs already; the new settings are not used: %s", ", ".join(overrides))
        return _current
    exporter = HeapExporter(Settings.load(**overrides))
    if exporter.settings.enabled:
        exporter._push()
        exporter.monitor.start()
        forks.register(exporter)
        _current = exporter
        atexit.register(exporter.stop)
    return exporter


def _forget(exporter: HeapExporter) -> None:
    global _current  # noqa: PLW0603  # one exporter a process is the contract
    atexit.unregister(exporter.stop)
    forks.unregister(exporter)
    if _current is exporter:
        _current = None
