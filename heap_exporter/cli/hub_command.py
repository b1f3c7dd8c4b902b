"""Serve the metrics and pages of all services that share a snapshot folder, from a process of its own.

    HEAP_EXPORTER_HUB=never gunicorn -w 4 shop:app    # the services: they open no port
    heap-exporter hub                                 # one port for all of them

Without this command, one of the services' own processes serves the port. A process of its own answers at once while
all workers are busy, and a worker that ends takes no open connection with it. It reads the same settings as the
services, and needs the same user and the same HEAP_EXPORTER_SNAPSHOT_DIR. It runs until Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import argparse
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from heap_exporter.cli.screen import print_line
from heap_exporter.errors import HeapExporterError
from heap_exporter.settings import Settings, variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heap_exporter.export.otlp_data import PushedProcess
    from heap_exporter.export.otlp_receiver import OtlpReceiver
    from heap_exporter.fleet.fleet_metrics import FleetMetrics
    from heap_exporter.web.hub import Hub
    from heap_exporter.web.server import HttpServer

HELP = "serve the metrics of all processes from one port"

STOP_SECONDS = 1.6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--host", help=f"the address to listen on (default: from {variable('host')})")
    parser.add_argument("--port", help=f"the port to listen on (default: from {variable('port')})")
    parser.add_argument("--dir", metavar="DIR", help=f"the snapshot folder (default: from {variable('snapshot_dir')})")


def run(arguments: argparse.Namespace) -> int:
    """Serve the port of the fleet until a signal, and return the exit code 0 of the hub command.

    Raises :class:`HeapExporterError` if the folder or the address cannot be used.
    """
    from heap_exporter.export.otlp_receiver import find_receiver
    from heap_exporter.fleet.fleet_metrics import FleetMetrics
    from heap_exporter.web.member_server import MemberServer

    given = {"host": arguments.host, "port": arguments.port, "snapshot_dir": arguments.dir}
    settings = Settings.load(**{name: value for name, value in given.items() if value is not None})
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    metrics, receiver = FleetMetrics(settings.snapshot_dir, None), find_receiver(settings.otlp_endpoint)
    hub = _hub(settings, metrics, pushes=receiver is not None)
    try:
        if not hub.try_listen():
            print_line(f"another process serves the port: {hub.url}; this one takes over when it ends")
    except OSError as error:
        raise HeapExporterError(f"{settings.snapshot_dir} cannot be used: {error.strerror or error}") from error
    waiting = MemberServer(lambda *_: (), None, hub.poll)
    waiting.start()
    stopping = threading.Event()
    if receiver:
        _start_push(receiver, metrics, hub, stopping)
    signal.sigwait((signal.SIGINT, signal.SIGTERM))
    stopping.set()
    waiting.stop(time.monotonic() + STOP_SECONDS)
    hub.stop()
    return 0


def _start_push(receiver: OtlpReceiver, metrics: FleetMetrics, hub: Hub, stopping: threading.Event) -> None:
    """Push the metrics of all processes over OTLP while the hub serves the port, until an event is set."""
    from heap_exporter.export.otlp import OtlpPusher
    from heap_exporter.export.otlp_data import PushedProcess
    from heap_exporter.fleet.fleet_pages import to_push
    from heap_exporter.runtime.threads import start_thread

    def others() -> Sequence[PushedProcess] | None:
        if not hub.is_own:
            return None
        found = to_push(metrics.members(), None, time.time())
        return [PushedProcess(member, page.started_at, page.values) for member, page in found]

    pusher = OtlpPusher(receiver, lambda: None, lambda _: None, others)
    start_thread("push", partial(pusher.run, stopping))


def _hub(settings: Settings, metrics: FleetMetrics, *, pushes: bool) -> Hub:
    """Return the hub for the folder and the port of the settings; it is no member itself."""
    from heap_exporter.fleet.hub_lock import HubLock
    from heap_exporter.monitor import HeapMonitor
    from heap_exporter.web.app import App
    from heap_exporter.web.fleet_app import FleetApp
    from heap_exporter.web.hub import Hub
    from heap_exporter.web.peers import Peers

    folder, monitor = settings.snapshot_dir, HeapMonitor(settings)
    own_app = App(monitor, metrics.render, token="", trust_loopback=True)
    application = FleetApp(
        own_app, None, metrics, Peers(folder), monitor.alert_budget(), token=settings.token, trust_loopback=True
    )
    lock = HubLock(folder, settings.port) if settings.port else None

    def show(server: HttpServer) -> None:
        print_line(f"serving {server.url}")

    return Hub(application, settings.host, settings.port, lock, show, pushes=pushes)
