"""Starts and stops one exporter for each process: the monitor, the HTTP port, the registries and the OTLP push.

Each process is a member of the fleet of its snapshot folder: it publishes its metrics in a file and answers on a unix
socket. One of them, the hub, serves the port for all. Only this module starts the threads that export; the monitor has
its own. In a forked child it starts all again.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from heap_exporter.allocations import AllocationSampler
from heap_exporter.errors import HeapExporterError
from heap_exporter.export.otel_internals import OpenTelemetryChanged
from heap_exporter.export.otlp_receiver import find_receiver
from heap_exporter.model import Census, LostGrowth, Reading, SnapshotInfo, Verdict
from heap_exporter.monitor import HeapMonitor
from heap_exporter.notify.listeners import LeakEvent, LeakListener
from heap_exporter.runtime import forks
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.threads import start_thread
from heap_exporter.settings import Settings

if TYPE_CHECKING:
    from typing import Unpack

    from prometheus_client import CollectorRegistry

    from heap_exporter.export.metrics_page import MetricsPage
    from heap_exporter.export.otlp import OtlpPusher
    from heap_exporter.export.otlp_data import PushedProcess
    from heap_exporter.export.prometheus import HeapCollector
    from heap_exporter.fleet.fleet_metrics import FleetMetrics
    from heap_exporter.fleet.own_process import OwnProcess
    from heap_exporter.fleet.page_publisher import PagePublisher
    from heap_exporter.fleet.unreached_children import UnreachedChildren
    from heap_exporter.settings.keywords import SettingsKeywords
    from heap_exporter.web.app import App
    from heap_exporter.web.fleet_app import FleetApp
    from heap_exporter.web.hub import Hub
    from heap_exporter.web.member_server import MemberServer
    from heap_exporter.web.server import HttpServer

RESTARTING_MODULES = frozenset({"multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver"})
"""Modules of which one is loaded once multiprocessing has started a child by spawn or forkserver."""

STOP_SECONDS = 1.6
"""How long :meth:`HeapExporter.stop` waits for all threads together."""


class HeapExporter:
    """The monitor of this process and what exports its metrics: HTTP port, registries, mounted apps, OTLP push.

    Get it from :func:`start`; ``with heap_exporter.start():`` stops it at the end of the block.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.monitor = HeapMonitor(settings)
        self.monitor.on_child_start = self._export_in_child
        self._registered: list[tuple[CollectorRegistry, HeapCollector]] = []
        self._metrics_page: MetricsPage | None = None
        self._own: OwnProcess | None = None
        self._fleet_metrics: FleetMetrics | None = None
        self._publisher: PagePublisher | None = None
        self._has_listened = False
        self._reset()

    def _reset(self) -> None:
        """Set what belongs to the exporter of one process: its sockets, threads and OTLP push."""
        self._hub: Hub | None = None
        self._member_server: MemberServer | None = None
        self._pusher: OtlpPusher | None = None
        self._children: UnreachedChildren | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    @property
    def url(self) -> str | None:
        """Return the address of this process's status page, ``None`` while no process serves it.

        It is that of the port itself if this process serves it, and else a path below ``/processes`` there.
        """
        url, member = self._hub.url if self._hub else None, self.monitor.reading().member
        if self._hub is None or url is None or self._hub.is_own or member is None:
            return url
        with late_imports():
            from urllib.parse import quote

        return f"{url}processes/{quote(f'{member.service}-{member.worker}', safe='')}/"

    @property
    def allocations(self) -> AllocationSampler:
        """Return the exporter's sampler of allocations: start and stop it, and read its profile."""
        return self.monitor.allocations

    def snapshot(self, reason: str = "requested by the application") -> SnapshotInfo:
        """Have the exporter take a snapshot now. Raises :class:`~heap_exporter.errors.SnapshotError` if that fails."""
        return self.monitor.snapshot(reason)

    def lost(self) -> LostGrowth | None:
        """Have the exporter search for memory that C code has lost; return what grew since the first search.

        ``None`` before the second search, or if this one was not possible.
        """
        return self.monitor.lost()

    def census(self) -> Census:
        """Have the exporter take a census now. Raises :class:`~heap_exporter.errors.SourceMissing` on a frozen heap."""
        return self.monitor.census()

    def verdict(self) -> Verdict | None:
        """Return the last verdict of the exporter's monitor, ``None`` before the first."""
        return self.monitor.verdict()

    def on(self, event: LeakEvent, listener: LeakListener) -> None:
        """Have the exporter call ``listener`` at each ``"leak"``. Raises ``ValueError`` for any other event."""
        self.monitor.on(event, listener)

    def stop(self) -> None:
        """Stop the exporter, all its threads, sockets and pushes, within two seconds. A second call does nothing."""
        _forget(self)
        deadline = time.monotonic() + STOP_SECONDS
        self._stopping.set()
        self.monitor.request_stop()
        if self._member_server:
            self._member_server.stop(deadline)
        if self._hub:
            self._hub.stop()
        if self._publisher:
            self._publisher.withdraw()
        if self._pusher:
            self._pusher.stop()
        self.monitor.stop(deadline)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(deadline - time.monotonic(), 0))
        for registry, collector in self._registered:
            registry.unregister(collector)
        self._registered.clear()
        self._hub = self._member_server = self._pusher = None

    def __enter__(self) -> HeapExporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_push(self) -> None:
        """Start the exporter's OTLP push if a receiver is set. Raises :class:`SettingsError` for a bad address."""
        receiver = find_receiver(self.settings.otlp_endpoint)
        if receiver:
            try:
                from heap_exporter.export.otlp import OtlpPusher

                self._pusher = OtlpPusher(receiver, self.monitor.reading, self.monitor.count_push, self._others_to_push)
            except (OpenTelemetryChanged, ImportError) as error:
                log.warning("heap-exporter is not pushing metrics to %s: %s", receiver.name, error)
                return
            self._start_thread("push", functools.partial(self._pusher.run, self._stopping))

    def _others_to_push(self) -> Sequence[PushedProcess] | None:
        """Return the other processes that the exporter pushes for; ``None`` while another process pushes for it."""
        hub = self._hub
        if hub is None or not hub.is_own:
            return None if hub and hub.other_pushes else ()
        from heap_exporter.export.otlp_data import PushedProcess
        from heap_exporter.fleet.fleet_pages import to_push

        found = to_push(self._metrics_of_fleet().members(), self._own_process().member, time.time())
        return [PushedProcess(member, page.started_at, page.values) for member, page in found]

    def _is_reported(self) -> bool:
        """Return whether the exporter's metrics reach an OTLP receiver without the hub."""
        return self._pusher is not None and (self._pusher.is_borrowed or self._hub is None)

    def _join_fleet(self) -> None:
        """Publish the metrics of the exporter's process for the others, and answer on a socket."""
        from heap_exporter.fleet.page_publisher import PagePublisher
        from heap_exporter.web.member_server import MemberServer, listen_as

        member = self.monitor.reading().member
        if self._member_server or member is None or not member.has_slot:
            return
        own_app = self._own_app()
        self._member_server = MemberServer(own_app, listen_as(self.settings.snapshot_dir, member), self._poll_hub)
        self._member_server.start()  # before the page: a process that is shown answers
        if self._publisher is None:
            self._publisher = PagePublisher(self.settings.snapshot_dir, self._own_process())
            self.monitor.on_reading(self._publisher.publish)
            self.monitor.on_reading(self._check_children)
        else:  # in a forked child
            self._publisher.publish(self.monitor.reading())

    def _join_early(self) -> None:
        """Join the fleet in a forked child whose first second has not ended."""
        if self.monitor.running:
            self.monitor.take_slot()
            self._join_fleet()

    def _check_children(self, _: Reading) -> None:
        """Log children in which no exporter runs, if multiprocessing starts children anew in this process."""
        if self.settings.autostart or RESTARTING_MODULES.isdisjoint(sys.modules):
            return  # with autostart the exporter starts in such children, some seconds later
        if self._children is None:
            with late_imports():
                from heap_exporter.fleet.unreached_children import UnreachedChildren

            self._children = UnreachedChildren(self.settings.snapshot_dir)
        self._children.check()

    def _poll_hub(self) -> tuple[float | None, int | None]:
        return self._hub.poll() if self._hub and self.settings.hub == "auto" else (None, None)

    def _listen(self, *, strict: bool = False, forked: bool = False) -> None:
        """Open the exporter's port, unless another process of the fleet has it.

        Raises :class:`SettingsError`, and with ``strict`` :class:`PortTaken`.
        """
        from heap_exporter.fleet.hub_lock import HubLock
        from heap_exporter.web.hub import Hub

        self._has_listened = True
        if self._hub or not self.monitor.running:  # before uWSGI forks nothing runs
            return
        host, port = self.settings.host, self.settings.port
        lock = HubLock(self.settings.snapshot_dir, port) if port and self._member_server else None
        member = self.monitor.reading().member
        hub = Hub(
            self._app(trust_loopback=True), host, port, lock, functools.partial(self._log_port, forked=forked),
            turn=int(member.worker) if member and member.has_slot else 0, pushes=self._pusher is not None,
        )  # fmt: skip  # arguments together
        try:
            is_own = self.settings.hub == "auto" and hub.try_listen(strict=strict)
        except OSError as error:  # no descriptor or no port is free in the whole system
            if strict:
                raise
            log.warning(
                "heap-exporter in process %d cannot listen on %s:%d and serves no pages until it is restarted: %s",
                os.getpid(), host, port, error,
            )  # fmt: skip  # format and arguments together
            return
        self._hub = hub
        if not is_own and self._member_server:
            log.info("heap-exporter in process %d is shown on %s", os.getpid(), self.url)
            self._member_server.wake()

    def _log_port(self, server: HttpServer, *, forked: bool) -> None:
        """Log the address that the exporter listens on."""
        from heap_exporter.web.server import PORT_RETRY_SECONDS

        moved = (
            f": another process uses port {self.settings.port}; heap-exporter tries it again every "
            f"{PORT_RETRY_SECONDS:g} s"
        )
        log.log(
            logging.WARNING if server.is_port_taken and not forked else logging.INFO,
            "heap-exporter in process %d is listening on %s%s",
            os.getpid(), server.url, moved if server.is_port_taken else "",
        )  # fmt: skip  # format and arguments together
        if not forked:
            self._warn_of_open_port(server.host)

    def _warn_of_open_port(self, host: str) -> None:
        """Log what other machines can read if they can reach the exporter's port and no token is set."""
        from heap_exporter.web.auth import OPEN_PATHS, is_loopback

        if self.settings.token or is_loopback(host):
            return
        log.warning(
            "heap-exporter is listening on %s without a token: every machine that can reach it can read %s, which "
            "contain type names; only this machine can read the other paths. Set HEAP_EXPORTER_TOKEN to require a "
            "token, or HEAP_EXPORTER_HOST=127.0.0.1 to accept connections only from this machine",
            host, " and ".join(sorted(OPEN_PATHS, reverse=True)),
        )  # fmt: skip  # format and arguments together

    def _app(self, trust_loopback: bool) -> FleetApp:
        """Return the pages of the fleet, as the exporter of any of its processes shows them, as a WSGI application."""
        from heap_exporter.web import fleet_documents
        from heap_exporter.web.fleet_app import FleetApp
        from heap_exporter.web.peers import Peers

        folder, own, metrics = self.settings.snapshot_dir, self._own_process(), self._metrics_of_fleet()
        own_app = self._own_app(lambda root: fleet_documents.processes(metrics.members(), root))
        token = self.settings.token
        budget = self.monitor.alert_budget()
        return FleetApp(own_app, own, metrics, Peers(folder), budget, token=token, trust_loopback=trust_loopback)

    def _metrics_of_fleet(self) -> FleetMetrics:
        """Return the metrics of all processes, as the exporter of any of them exports them."""
        from heap_exporter.fleet.fleet_metrics import FleetMetrics

        self._fleet_metrics = self._fleet_metrics or FleetMetrics(self.settings.snapshot_dir, self._own_process())
        return self._fleet_metrics

    def _own_app(self, processes: Callable[[str], Sequence[dict[str, Any]]] = lambda _: ()) -> App:
        """Return the pages of the exporter's own process as a WSGI application for clients that are allowed."""
        from heap_exporter.export.metrics_page import MetricsPage
        from heap_exporter.web.app import App

        if self._metrics_page is None:
            self._metrics_page = MetricsPage(self.monitor.reading)
            self.monitor.on_reading(self._metrics_page.publish)
        return App(self.monitor, self._metrics_page.render, token="", trust_loopback=True, processes=processes)

    def _own_process(self) -> OwnProcess:
        """Return the exporter's process as a member of the fleet."""
        from heap_exporter.fleet.own_process import OwnProcess

        settings = self.settings
        self._own = self._own or OwnProcess(
            self.monitor.reading, settings.port, settings.interval_seconds, self._is_reported
        )
        return self._own

    def _register(self, registry: CollectorRegistry) -> None:
        """Add the exporter's metrics to a registry of the application, once."""
        from heap_exporter.export.prometheus import HeapCollector
        from heap_exporter.fleet.fleet_families import FLEET_METRICS

        if all(known is not registry for known, _ in self._registered):
            collector = HeapCollector(self._metrics_of_fleet().families, FLEET_METRICS)
            registry.register(collector)
            self._registered.append((registry, collector))

    def _start_thread(self, name: str, target: Callable[[], None]) -> None:
        """Start a thread of the exporter, for which :meth:`stop` waits."""
        self._threads.append(start_thread(name, target))

    def after_fork(self) -> None:
        """Reset the exporter in a forked child, which has no threads: close the parent's sockets."""
        global _starting  # noqa: PLW0603  # another thread may have held the lock at the moment of the fork
        _starting = threading.RLock()
        for inherited in (self._hub, self._member_server):
            if inherited:
                inherited.abandon()
        if self._own:
            self._own.forget_samples()
        if self._publisher:
            self._publisher.after_fork()
        self._reset()

    def _export_in_child(self) -> None:
        """Open the exporter's port and start its OTLP push in a forked child. Raises nothing."""
        try:
            with _starting:
                self._join_fleet()
                self._start_push()
                if self._has_listened:
                    self._listen(forked=True)
        except HeapExporterError as error:
            log.warning("heap-exporter cannot export metrics of forked process %d: %s", os.getpid(), error)
        except Exception:  # it would end the sampling thread
            log.exception("heap-exporter cannot export metrics of forked process %d", os.getpid())


_current: HeapExporter | None = None
_starting = threading.RLock()


def start(*, strict: bool = False, **settings: Unpack[SettingsKeywords]) -> HeapExporter:
    """Start the exporter with its port, and return it; return the exporter of this process if it runs already.

    One of the processes that share the snapshot folder serves the port for all. While another program uses the port,
    that process listens on a free one, logs one warning, and tries the port again.
    Keywords are the settings: ``window="15m"``, ``port=0``. They win over the variables ``HEAP_EXPORTER_*``.
    Raises :class:`~heap_exporter.errors.SettingsError`; with ``strict`` also :class:`~heap_exporter.errors.PortTaken`
    if another process uses the port.
    """
    with _running(settings) as exporter:
        if exporter.settings.enabled and exporter.settings.http:
            exporter._listen(strict=strict)
        return exporter


def register(registry: CollectorRegistry | None = None, **settings: Unpack[SettingsKeywords]) -> HeapExporter:
    """Start the monitor and add its metrics to a registry of the application (default: the registry of client_python).

    They are those of all processes that share the snapshot folder, as the port shows them.
    Raises :class:`~heap_exporter.errors.SettingsError`, and ``ValueError`` if a collector has metrics of these names.
    """
    from prometheus_client import REGISTRY

    with _running(settings) as exporter:
        if exporter.settings.enabled:
            exporter._register(REGISTRY if registry is None else registry)
        return exporter


def make_wsgi_app(**settings: Unpack[SettingsKeywords]) -> FleetApp:
    """Start the monitor and return its pages as a WSGI application to mount. Set a token: the port is not its own.

    Raises :class:`~heap_exporter.errors.SettingsError`.
    """
    with _running(settings) as exporter:
        return exporter._app(trust_loopback=False)


def make_asgi_app(**settings: Unpack[SettingsKeywords]) -> Callable[..., Awaitable[None]]:
    """Return the pages of :func:`make_wsgi_app` as an ASGI application."""
    from heap_exporter.web.asgi import AsgiApp

    return AsgiApp(make_wsgi_app(**settings))


def current() -> HeapExporter | None:
    """Return the exporter of this process, ``None`` when none runs."""
    _reset_if_forked()
    return _current


@contextmanager
def _running(overrides: SettingsKeywords) -> Iterator[HeapExporter]:
    """Yield the exporter of this process; start it if there is none, and stop it again if the block raises."""
    _reset_if_forked()
    with _starting:
        if _current is not None:
            if overrides and Settings.load(**overrides) != _current.settings:
                names = ", ".join(overrides)
                log.warning("heap-exporter is already running in this process and ignores these settings: %s", names)
            _current._join_early()
            yield _current
            return
        exporter = HeapExporter(Settings.load(**overrides))
        try:
            if exporter.settings.enabled:
                _start(exporter)
            yield exporter
        except BaseException:
            exporter.stop()
            raise


def _start(exporter: HeapExporter) -> None:
    """Start the push and the monitor of an exporter, and make it the exporter of this process."""
    global _current  # noqa: PLW0603  # one exporter in each process
    if not _starts_in_workers(exporter):
        exporter._start_push()
        exporter.monitor.start()
        exporter._join_fleet()
    forks.register(exporter)
    _current = exporter
    atexit.register(exporter.stop)


def _starts_in_workers(exporter: HeapExporter) -> bool:
    """Return whether uWSGI starts the exporter in each of its workers, because no thread may run before it forks."""
    if "uwsgi" not in sys.modules:
        return False
    from heap_exporter.runtime import uwsgi

    uwsgi.warn_without_threads()
    if not uwsgi.forks_later():
        return False
    exporter.monitor.start_in_children()
    uwsgi.call_in_workers(forks.reset_if_forked)
    return True


def _reset_if_forked() -> None:
    """Start the exporter anew in a process that a library has forked without Python's hooks."""
    if _current is not None and forks.reset_if_forked():
        log.warning(
            "heap-exporter in process %d starts only now: a library forked it without the hooks of "
            "os.register_at_fork; call heap_exporter.start() after each such fork",
            os.getpid(),
        )


def _forget(exporter: HeapExporter) -> None:
    """Forget the exporter of this process: unregister it from the hooks for fork and exit."""
    global _current  # noqa: PLW0603  # one exporter in each process
    atexit.unregister(exporter.stop)
    forks.unregister(exporter)
    if _current is exporter:
        _current = None
