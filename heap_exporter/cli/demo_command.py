"""Run a small web shop that leaks memory, and watch heap-exporter find the leak.

    heap-exporter demo              until Ctrl-C
    heap-exporter demo --once       until the leak is found
    heap-exporter demo --healthy    a shop without the bug

The shop runs heap-exporter in its process, as any service would. It has a bug: its sessions never expire. It also has a
page cache with a limit, which is not a leak. The demo sends visitors over HTTP and shows the state of heap-exporter
until Ctrl-C. The detection window is 20 seconds, instead of the 15 minutes of a real service.

--once ends the demo by itself: exit code 0 if the leak was found, 1 if it was not.
--healthy runs the shop without the bug. With --once the exit code is then 0 if nothing was suspected.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from heap_exporter.cli import screen
from heap_exporter.cli.durations import option_seconds
from heap_exporter.demo import demo_status
from heap_exporter.demo.demo_status import Status
from heap_exporter.demo.visitors import Visitors
from heap_exporter.errors import HeapExporterError, MissingExtra
from heap_exporter.runtime.http_client import fetch
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.subprocesses import end_with_parent, ignore_interrupts
from heap_exporter.runtime.urls import reachable
from heap_exporter.settings import Settings

HELP = "run a leaking web shop and watch heap-exporter find the leak"

MAX_SECONDS = 60.0
MAX_WINDOWS = 3
"""Windows that --once waits at least: one to suspect the leak, two for the snapshots and their comparison."""

MAX_PORT = 65_535
MAX_VISITORS_PER_SECOND = 100_000.0

START_SECONDS = 20.0
REFRESH_SECONDS = 0.5
LINE_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--once", action="store_true", help=f"exit when the leak is found, or after {MAX_SECONDS:g} s")
    parser.add_argument("--healthy", action="store_true", help="run the shop without the bug")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address that the shop and heap-exporter listen on (default: %(default)s)",
    )
    parser.add_argument("--port", type=_port_number, help="the port of heap-exporter (default: 9465, or any free port)")
    parser.add_argument("--shop-port", type=_port_number, help="the port of the shop (default: 8000, or any free port)")
    parser.add_argument(
        "--visitors",
        type=_visitor_rate,
        default=60.0,
        metavar="RATE",
        help="visitors per second (default: %(default)g)",
    )
    parser.add_argument(
        "--window",
        type=option_seconds,
        default=20.0,
        metavar="TIME",
        help="the detection window: the time over which growth is measured (default: 20s)",
    )
    parser.add_argument("--json", action="store_true", help="print each status as one JSON object per line")


def run(arguments: argparse.Namespace) -> int:
    """Run the shop and its visitors, show the verdict, and return the exit code of the demo command."""
    with _shop(arguments) as (shop_url, exporter_url):
        host, port = shop_url.removeprefix("http://").rstrip("/").rsplit(":", 1)
        visitors = Visitors(reachable(host), int(port), arguments.visitors)
        visitors.start()
        try:
            return _watch(arguments, visitors, shop_url, exporter_url)
        except KeyboardInterrupt:
            return 0
        finally:
            visitors.stop()


@contextlib.contextmanager
def _shop(arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Run the demo's shop in a subprocess, and yield the URLs of the shop and of heap-exporter."""
    command = [
        sys.executable, "-m", "shop", "--host", arguments.host, "--window", str(arguments.window),
        "--port", str(_port(arguments.host, arguments.port, 9465)),
        "--shop-port", str(_port(arguments.host, arguments.shop_port, 8000)),
    ]  # fmt: skip  # one option a line
    if not arguments.healthy:
        command.append("--leaky")
    folder = Path(__file__).parent.parent / "demo"
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    shop = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        preexec_fn=_depend_on_demo,  # noqa: PLW1509  # no thread has been started yet
    )
    try:
        assert shop.stdout is not None
        addresses = shop.stdout.readline().split()
        if len(addresses) != 4:
            raise HeapExporterError(f"the demo shop did not start (exit code {shop.wait()}); see the error above")
        yield addresses[1], addresses[3]
    finally:
        shop.terminate()
        shop.wait()


def _depend_on_demo() -> None:
    """Let the shop ignore Ctrl-C, which the demo handles, and end when the demo is killed."""
    ignore_interrupts()
    end_with_parent(signal.SIGTERM)


def _port(host: str, wanted: int | None, default: int) -> int:
    """Return the port given on the command line, or the default port, or 0 if another process listens there."""
    if wanted is not None:
        return wanted
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, default))
        except OSError:
            return 0
    return default


def _port_number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= number <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"it must be a number from 0 (any free port) to {MAX_PORT}")
    return number


def _visitor_rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MAX_VISITORS_PER_SECOND:
        raise argparse.ArgumentTypeError(f"it must be a number above 0, at most {MAX_VISITORS_PER_SECOND:g}")
    return rate


def _status(url: str) -> Status:
    """Return the JSON answer of the demo's exporter."""
    token = Settings.load().token
    headers = {"Accept": "application/json", **({"Authorization": "Bearer " + token} if token else {})}
    answer = fetch(urllib.request.Request(url, headers=headers), START_SECONDS)  # noqa: S310  # the URL of the subprocess
    if answer.status != http.client.OK:
        raise HeapExporterError(f"the exporter of the demo answered {answer.status} {answer.reason}")
    return dict(parse_json(answer.body))


class _Screen:
    """Shows the demo: a live table on a terminal, else lines or JSON."""

    def __init__(self, arguments: argparse.Namespace, visitors: Visitors, url: str, links: list[str]) -> None:
        self._visitors = visitors
        self._url = url
        self._json = bool(arguments.json)
        self._live = self._table = None
        self._printed_at = -LINE_SECONDS
        if self._json:
            return
        if console := screen.terminal_console():
            from rich.live import Live

            from heap_exporter.demo.live_table import LiveTable

            title = f"heap-exporter demo: a {'healthy' if arguments.healthy else 'leaking'} shop"
            self._table = LiveTable(title, links)
            self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
            return
        if sys.stdout.isatty():
            screen.print_message(str(MissingExtra("for a live table the demo needs rich", "cli")))
        print(*links, sep="\n", flush=True)

    def __enter__(self) -> _Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, status: Status, elapsed_seconds: float) -> None:
        """Show a status on the terminal; without a terminal, print one every two seconds."""
        if self._live and self._table:
            from rich.constrain import Constrain

            served = f"{elapsed_seconds:.0f} s, {self._visitors.requests:,} requests served"
            drawn = self._table.draw(status, served)
            # The terminal echoes ^C behind the table: a full line would wrap, and the table would be drawn twice.
            self._live.update(Constrain(drawn, self._live.console.width - len("^C")), refresh=True)
        elif elapsed_seconds - self._printed_at >= LINE_SECONDS:
            self._printed_at = elapsed_seconds
            requests = self._visitors.requests
            extra = {"url": self._url, "elapsed_seconds": elapsed_seconds, "requests": requests}
            line = demo_status.status_line(status, elapsed_seconds, requests)
            print(json.dumps({**extra, **status}) if self._json else line, flush=True)

    def print(self, *lines: str) -> None:
        """Print lines that stay above the table."""
        if not lines:
            return
        if self._live:
            self._live.console.print(*lines, sep="\n")
        elif not self._json:
            print(*lines, sep="\n", flush=True)


def _watch(arguments: argparse.Namespace, visitors: Visitors, shop_url: str, exporter_url: str) -> int:
    """Show the verdict until Ctrl-C, or with --once until the leak is found. Return the command's exit code."""
    links = [
        f"shop      {shop_url}",
        f"status    {exporter_url}",
        f"metrics   {exporter_url}metrics",
        f"try       curl -X POST {exporter_url}snapshots",
    ]
    started, progress = time.monotonic(), _LeakProgress()
    max_seconds = max(MAX_SECONDS, MAX_WINDOWS * arguments.window)
    with _Screen(arguments, visitors, exporter_url, links) as shown:
        while True:
            status, elapsed = _status(exporter_url), time.monotonic() - started
            shown.show(status, elapsed)
            shown.print(*progress.news(status, elapsed))
            if arguments.once and (progress.is_confirmed or elapsed > max_seconds):
                break
            time.sleep(REFRESH_SECONDS)
        if not progress.is_suspected:
            shown.print(
                f"no leak found in {elapsed:.0f} s"
                + (", which is correct: this shop has no bug" if arguments.healthy else "")
            )
    if arguments.healthy:
        return 1 if progress.is_suspected else 0
    return 0 if progress.names_holder else 1


class _LeakProgress:
    """How far the leak is found: suspected with a first snapshot, then confirmed by a second one."""

    def __init__(self) -> None:
        self.is_suspected = False
        self.is_confirmed = False
        self.names_holder = False

    def news(self, status: Status, elapsed_seconds: float) -> list[str]:
        """Return the lines about a change since the last status."""
        if not self.is_suspected:
            if demo_status.state(status) not in ("suspected", "confirmed") or not demo_status.own_snapshots(status):
                return []
            self.is_suspected = True
            return demo_status.suspected_lines(status, elapsed_seconds)
        alert = status["verdict"]["alert"]
        if alert is None or self.is_confirmed:
            return []
        self.is_confirmed, self.names_holder = True, alert["accumulation"] is not None
        return demo_status.confirmed_lines(alert, elapsed_seconds)
