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
import time
from typing import TYPE_CHECKING

from heap_exporter.cli.screen import print_line
from heap_exporter.errors import HeapExporterError
from heap_exporter.settings import Settings, variable

if TYPE_CHECKING:
    from heap_exporter.web.hub import Hub

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
    from heap_exporter.web.member_server import MemberServer

    given = {"host": arguments.host, "port": arguments.port, "snapshot_dir": arguments.dir}
    settings = Settings.load(**{name: value for name, value in given.items() if value is not None})
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    hub = _hub(settings)
    try:
        if not hub.try_listen():
            print_line(f"another process serves the port: {hub.url}; this one takes over when it ends")
    except OSError as error:
        raise HeapExporterError(f"{settings.snapshot_dir} cannot be used: {error.strerror or error}") from error
    waiting = MemberServer(lambda *_: (), None, hub.poll)
    waiting.start()
    signal.sigwait((signal.SIGINT, signal.SIGTERM))
    waiting.stop(time.monotonic() + STOP_SECONDS)
    hub.stop()
    return 0


def _hub(settings: Settings) -> Hub:
    """Return the hub for the folder and the port of the settings; it is no member itself."""
    from heap_exporter.fleet.fleet_metrics import FleetMetrics
    from heap_exporter.fleet.hub_lock import HubLock
    from heap_exporter.monitor import HeapMonitor
    from heap_exporter.web.app import App
    from heap_exporter.web.fleet_app import FleetApp
    from heap_exporter.web.hub import Hub
    from heap_exporter.web.peers import Peers

    folder, metrics = settings.snapshot_dir, FleetMetrics(settings.snapshot_dir, None)
    monitor = HeapMonitor(settings)
    own_app = App(monitor, metrics.render, token="", trust_loopback=True)
    application = FleetApp(
        own_app, None, metrics, Peers(folder), monitor.alert_budget(), token=settings.token, trust_loopback=True
    )
    lock = HubLock(folder, settings.port) if settings.port else None
    return Hub(application, settings.host, settings.port, lock, lambda server: print_line(f"serving {server.url}"))
