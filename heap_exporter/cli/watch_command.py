"""Watch one process of a running service: memory, growth, growing types, and the verdict, drawn again and again.

    heap-exporter watch                 the one that serves the port here
    heap-exporter watch --worker 3      another one
    heap-exporter watch 10.0.0.7:9465   on another machine; needs its token

`heap-exporter processes` lists the processes. The command runs until Ctrl-C. Without a
terminal it prints a line every two seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Callable, Iterator

from heap_exporter.cli import screen
from heap_exporter.cli.screen import print_line
from heap_exporter.cli.service_client import (
    Members,
    ServiceClient,
    add_service_arguments,
    is_success,
    refusal,
    with_query,
)
from heap_exporter.demo import demo_status
from heap_exporter.demo.demo_status import Status

HELP = "watch one process of a running service"

REFRESH_SECONDS = 2.0

STATUS: Members = {"pid": int, "service": str, "snapshots": list}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_service_arguments(parser)
    parser.add_argument("--worker", metavar="N", help="the process with this number")
    parser.add_argument("--json", action="store_true", help="print each status as one JSON object per line")


def run(arguments: argparse.Namespace) -> int:
    """Show a process until Ctrl-C (exit code 0); 1 if the service refuses."""
    started, service = time.monotonic(), ServiceClient(arguments)
    with contextlib.suppress(KeyboardInterrupt), _screen(arguments) as show:
        while True:
            response = service.ask("GET", with_query("/", {"worker": arguments.worker}))
            answer = service.document(response, STATUS)
            if not is_success(response):
                print_line(refusal(answer))
                return 1
            show(answer, time.monotonic() - started)
            time.sleep(REFRESH_SECONDS)
    return 0


@contextlib.contextmanager
def _screen(arguments: argparse.Namespace) -> Iterator[Callable[[Status, float], None]]:
    """Yield a function that shows a status some seconds after the start: a table on a terminal, else lines or JSON."""
    console = None if arguments.json else screen.terminal_console()
    if console is None:
        yield lambda status, seconds: print_line(
            json.dumps(status) if arguments.json else demo_status.watched_line(status, seconds)
        )
        return
    from rich.live import Live

    from heap_exporter.demo.live_table import LiveTable

    tables: dict[int, LiveTable] = {}
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

        def show(status: Status, seconds: float) -> None:
            table = tables.setdefault(status["pid"], LiveTable(f"{status['service']}, process {status['pid']}", []))
            live.update(table.draw(status, f"{seconds:.0f} s"), refresh=True)

        yield show
