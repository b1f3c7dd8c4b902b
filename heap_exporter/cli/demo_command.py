"""Watch a leaking web shop being caught.

Starts a small shop (real HTTP requests, a session store that forgets to expire, a healthy cache beside it) with
the exporter inside, sends it visitors, and shows what the exporter says until Ctrl-C. The window in which growth
is judged is 20 seconds instead of the 15 minutes of a real service.

With --once it ends by itself: exit code 0 when the leak was caught, 1 when it was not.
With --healthy the shop has no bug, and must not be accused: --once then ends with 0 if it was not.
"""

from __future__ import annotations

import argparse
import contextlib
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
from typing import Any

from heap_exporter.demo.load import Load
from heap_exporter.errors import HeapExporterError
from heap_exporter.runtime.port_conflict import reachable
from heap_exporter.settings import Settings

HELP = "watch a leaking shop being caught"

CATCH_SECONDS = 60.0
START_SECONDS = 20.0
REFRESH_SECONDS = 0.5
LINE_SECONDS = 2.0

Status = dict[str, Any]
"""What ``GET /`` answers to a program."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--once", action="store_true", help=f"end by itself, after {CATCH_SECONDS:g} s at the latest")
    parser.add_argument("--healthy", action="store_true", help="the same shop without the bug")
    parser.add_argument("--host", default="127.0.0.1", help="where shop and exporter listen (default: %(default)s)")
    parser.add_argument("--port", type=int, help="the exporter's port (default: 9465, or a free one)")
    parser.add_argument("--shop-port", type=int, help="the shop's port (default: 8000, or a free one)")
    parser.add_argument("--visitors", type=float, default=60.0, metavar="RATE", help="a second (default: %(default)g)")
    parser.add_argument("--window", type=float, default=20.0, metavar="SECONDS", help="default: %(default)g")
    parser.add_argument("--json", action="store_true", help="print each status as a line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run shop, load and table, and return 0 if what was to be caught was caught, and nothing else."""
    with _shop(arguments) as (shop_url, exporter_url):
        host, port = shop_url.removeprefix("http://").rstrip("/").rsplit(":", 1)
        load = Load(reachable(host), int(port), arguments.visitors)
        load.start()
        try:
            return _watch(arguments, load, shop_url, exporter_url)
        except KeyboardInterrupt:
            return 0
        finally:
            load.stop()


@contextlib.contextmanager
def _shop(arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Run the shop as a process of its own, and yield its address and the exporter's."""
    command = [
        sys.executable, "-m", "shop", "--host", arguments.host, "--window", str(arguments.window),
        "--port", str(_port(arguments.host, arguments.port, 9465)),
        "--shop-port", str(_port(arguments.host, arguments.shop_port, 8000)),
    ]  # fmt: skip  # option beside value
    if not arguments.healthy:
        command.append("--leaky")
    folder = Path(__file__).parent.parent / "demo"
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    shop = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        preexec_fn=_ignore_interrupts,  # noqa: PLW1509  # no thread has been started yet
    )
    try:
        assert shop.stdout is not None
        words = shop.stdout.readline().split()
        if len(words) != 4:
            raise HeapExporterError(f"the shop did not start (exit code {shop.wait()}); its error is above")
        yield words[1], words[3]
    finally:
        shop.terminate()
        shop.wait()


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that shows the demo: it ends the shop, whose imports would print a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _port(host: str, wanted: int | None, default: int) -> int:
    """Return the port that was asked for, or the default one, or 0 when that is taken."""
    if wanted is not None:
        return wanted
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, default))
        except OSError:
            return 0
    return default


def _asked(url: str, method: str = "GET") -> Status:
    """Return what the exporter answers."""
    token = Settings.load().token
    headers = {"Accept": "application/json", **({"Authorization": "Bearer " + token} if token else {})}
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310  # the address of our own child
    with urllib.request.urlopen(request, timeout=START_SECONDS) as response:  # noqa: S310  # as above
        return dict(json.load(response))


class _Screen:
    """Where the demo is shown: a table that is redrawn on a terminal, lines or JSON elsewhere."""

    def __init__(self, arguments: argparse.Namespace, load: Load, url: str, links: list[str]) -> None:
        from rich.console import Console
        from rich.live import Live

        from heap_exporter.demo.live_table import Watch

        console = Console(highlight=False)
        self._load = load
        self._url = url
        self._json = bool(arguments.json)
        self._table = Watch(f"heap-exporter demo: a {'healthy' if arguments.healthy else 'leaking'} shop", links)
        self._live = None
        if console.is_terminal and not self._json:
            self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._printed_at = -LINE_SECONDS
        if self._live is None and not self._json:
            print(*links, sep="\n", flush=True)

    def __enter__(self) -> _Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, status: Status, elapsed_seconds: float) -> None:
        """Show a status; where there is no terminal, one every two seconds."""
        from rich.constrain import Constrain

        if self._live:
            drawn = self._table.draw(status, elapsed_seconds, self._load.requests)
            # Behind a full line, the echo of Ctrl-C goes into the next one, and the table would not be drawn over.
            self._live.update(Constrain(drawn, self._live.console.width - len("^C")), refresh=True)
        elif elapsed_seconds - self._printed_at >= LINE_SECONDS:
            self._printed_at = elapsed_seconds
            requests = self._load.requests
            figures = {"url": self._url, "elapsed_seconds": elapsed_seconds, "requests": requests}
            line = self._table.line(status, elapsed_seconds, requests)
            print(json.dumps({**figures, **status}) if self._json else line, flush=True)

    def say(self, *lines: str) -> None:
        """Print lines that stay."""
        if not lines:
            return
        if self._live:
            self._live.console.print(*lines, sep="\n")
        elif not self._json:
            print(*lines, sep="\n", flush=True)


def _watch(arguments: argparse.Namespace, load: Load, shop_url: str, exporter_url: str) -> int:
    """Show one status after the other, until something is caught (with --once) or for ever. Return the exit code."""
    links = [
        f"shop      {shop_url}",
        f"status    {exporter_url}",
        f"metrics   {exporter_url}metrics",
        f"try       curl -X POST {exporter_url}snapshots",
    ]
    started, evidence = time.monotonic(), _Evidence()
    with _Screen(arguments, load, exporter_url, links) as screen:
        while True:
            status, elapsed = _asked(exporter_url), time.monotonic() - started
            screen.show(status, elapsed)
            screen.say(*evidence.news(status, elapsed))
            if arguments.once and (evidence.is_complete or elapsed > CATCH_SECONDS):
                break
            time.sleep(REFRESH_SECONDS)
        if not evidence.is_caught:
            screen.say(f"nothing was caught in {elapsed:.0f} s" + (", as it should be" if arguments.healthy else ""))
    if arguments.healthy:
        return 1 if evidence.is_caught else 0
    return 0 if evidence.names_holder else 1


class _Evidence:
    """Follows a suspicion: its snapshot, and the alert that follows a second one."""

    def __init__(self) -> None:
        self.is_caught = False
        self.is_complete = False
        self.names_holder = False

    def news(self, status: Status, elapsed_seconds: float) -> list[str]:
        """Return what is to be said of a status that was not said before."""
        from heap_exporter.demo import live_table

        if not self.is_caught:
            if live_table.state(status) not in ("suspected", "confirmed") or not live_table.own_snapshots(status):
                return []
            self.is_caught = True
            return live_table.caught_words(status, elapsed_seconds)
        alert = status["verdict"]["alert"]
        if alert is None or self.is_complete:
            return []
        self.is_complete, self.names_holder = True, alert["accumulation"] is not None
        return live_table.alert_words(alert, elapsed_seconds)
