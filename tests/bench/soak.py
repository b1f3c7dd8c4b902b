"""Soak test: repeats leaks, alerts, snapshots and webhooks, and measures the exporter's memory from outside.

Two services run at once, with all times divided by the speed. In one the exporter runs all the time; the other
restarts it after each leak, so that each leak causes an alert. Both are scraped and get requests for snapshots, single
and many at once, and their webhook also hangs, refuses and fails. Ends with 1 if anything grows.
``python -m tests.bench.soak --minutes 20 --speed 50``
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from heap_exporter.detection.trend import fit_trend
from heap_exporter.detection.windows import MIN_NOISES, MIN_TAU
from tests.bench.unreliable_webhook import unreliable_webhook

WARM_UP_SHARE = 0.4
"""The share of the run that is not measured: the history of samples fills in that time."""

MIN_GROWTH = {"memory, MiB": 1.0, "threads": 1.0, "descriptors": 1.0}
"""The gain of each value after the warm-up that counts as growth, if it is steady."""

KEEP, QUOTA_BYTES = 8, 64 * 1024**2
MAX_FILES = 100
"""The quota of the folder, and a limit above its count of snapshots, reports, marks and twenty series."""

CALM_WINDOWS = 8
"""The time in which a suspicion must end after its leak was freed."""

REAPED_WITHIN_SECONDS = 5.0
"""The longest time until the exporter's thread, which sleeps between samples, reaps a child."""

VISIT_SECONDS = 1.0
CROWD = 20


@dataclass
class Soaked:
    """A service, its measurements at calm moments, and its counters."""

    name: str
    process: subprocess.Popen[str]
    folder: Path
    calm: list[dict[str, float]] = field(default_factory=list)
    peaks: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    unreaped: set[int] = field(default_factory=set)
    url: str | None = None
    zombies: dict[int, float] = field(default_factory=dict)

    def follow(self, is_over: Callable[[], bool]) -> None:
        """Read the service's output, measure it when it is calm, and end it when the test is over."""
        assert self.process.stdout
        assert self.process.stdin
        before: Counter[str] = Counter()
        for line in self.process.stdout:
            message = json.loads(line)
            if "url" in message:
                before = self.done
                self.url = message["url"]
                continue
            self._look()
            if "done" not in message:
                continue
            self.done = before + Counter(message["done"])
            self.process.stdin.write("end\n" if is_over() else "go on\n")
            self.process.stdin.flush()
        self.url = None

    def _look(self) -> None:
        pid = self.process.pid
        status = _status(pid)
        zombies = {child for child in _children(pid) if _status(child).get("State", "").startswith("Z")}
        now = time.monotonic()
        self.zombies = {child: self.zombies.get(child, now) for child in zombies}
        self.unreaped |= {child for child, since in self.zombies.items() if now - since >= REAPED_WITHIN_SECONDS}
        kibibytes = sum(int(status.get(name, "0").split()[0]) for name in ("RssAnon", "VmSwap"))
        figures = (kibibytes / 1024, float(status["Threads"]), float(len(os.listdir(f"/proc/{pid}/fd"))))
        self.calm.append({"t": now, **dict(zip(MIN_GROWTH, figures, strict=True))})

    def glance(self) -> None:
        """Update the peaks of values that vary from moment to moment."""
        pid = self.process.pid
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        snapshots = [path for path in files if path.suffix == ".heap"]
        now = {
            "threads": int(_status(pid).get("Threads", 0)),
            "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "children": len(_children(pid)),
            "files": len(files),
            "snapshots": len(snapshots),
            "snapshot bytes": sum(path.stat().st_size for path in snapshots),
        }
        for name, value in now.items():
            self.peaks[name] = max(self.peaks[name], value)

    def visit(self, rounds: int) -> None:
        """Scrape, load the pages, and sometimes request snapshots: one, or many at once."""
        url = self.url
        if url is None:
            return
        for page in ("metrics", "verdict", ""):
            _ask(f"{url}{page}")
        if rounds % 10 == 0:
            crowd = CROWD if rounds % 50 == 0 else 1
            with ThreadPoolExecutor(crowd) as pool:
                list(pool.map(lambda _: _ask(f"{url}snapshots", b""), range(crowd)))

    def problems(self) -> list[str]:
        """Return a sentence for each value that grows or exceeds its limit."""
        found = [f"{name} grow" for name in MIN_GROWTH if self.grown(name)]
        if not self.done["alerts"]:
            found.append("no alert was sent")
        if self.unreaped:
            found.append(f"zombies that are not reaped: {len(self.unreaped)}")
        if self.peaks["snapshots"] > KEEP + 1 or self.peaks["files"] > MAX_FILES:
            found.append("the folder has too many files")
        if self.peaks["snapshot bytes"] > QUOTA_BYTES:
            found.append("the folder is larger than its quota")
        if self.process.returncode:
            found.append(f"it ended with {self.process.returncode}")
        return [f"{self.name}: {what}" for what in found]

    def counted(self, figure: str) -> list[tuple[float, float]]:
        """Return a value at each calm moment after the warm-up, with its time in seconds."""
        if not self.calm:
            return []
        first, last = self.calm[0]["t"], self.calm[-1]["t"]
        since = first + WARM_UP_SHARE * (last - first)
        return [(look["t"] - first, look[figure]) for look in self.calm if look["t"] >= since]

    def grown(self, figure: str) -> bool:
        """Return whether a value rises steadily after the warm-up, by the detector's own measure."""
        line = fit_trend(self.counted(figure))
        if line is None:
            return False
        return line.gained >= max(MIN_GROWTH[figure], MIN_NOISES * line.noise) and line.tau >= MIN_TAU


def settings(speed: float, webhook: str) -> dict[str, Any]:
    """Return the default settings at ``speed``, with all features on."""
    return {
        "interval": 15 / speed,
        "census_interval": 60 / speed,
        "census_cpu": min(0.5 * speed, 100),
        "window": 900 / speed,
        "min_slope": 8 * 1024**2 * speed,
        "snapshot_cooldown": 3600 / speed,
        "snapshots_a_day": 10_000,
        "snapshot_keep": KEEP,
        "snapshot_max_size": QUOTA_BYTES,
        "alert_webhook_url": webhook,
    }


def soak(
    is_over: Callable[[list[Soaked]], bool], speed: float, folder: Path, calm_windows: int = CALM_WINDOWS
) -> tuple[list[Soaked], Counter[str]]:
    """Run two services until the end of the test; return them, and the counts of the webhook's answers."""
    with ExitStack() as ending:
        webhook, answers = ending.enter_context(unreliable_webhook())
        services = [
            ending.enter_context(_running(name, folder, settings(speed, webhook), calm_windows))
            for name in ("one run", "many restarts")
        ]
        is_done = functools.partial(is_over, services)
        followers = [threading.Thread(target=service.follow, args=[is_done]) for service in services]
        for follower in followers:
            follower.start()
        rounds = 0
        while any(follower.is_alive() for follower in followers):
            time.sleep(VISIT_SECONDS)
            rounds += 1
            for service in services:
                with suppress(OSError):  # the service has just ended, or a file was just removed
                    service.visit(rounds)
                    service.glance()
    return services, answers


@contextmanager
def _running(name: str, folder: Path, settings: dict[str, Any], calm_windows: int) -> Iterator[Soaked]:
    """Run a service; it is killed at the end if it still runs."""
    own = folder / name.replace(" ", "_")
    arguments = [json.dumps({**settings, "snapshot_dir": str(own)}), str(calm_windows)]
    with (
        (folder / f"{own.name}.log").open("w") as log,
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.bench.soak_service",
                *arguments,
                *(["restarts"] if name == "many restarts" else []),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Freed memory goes back to the system at once, so that only the exporter's memory is measured.
            env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},
        ) as process,
    ):
        try:
            yield Soaked(name, process, own)
        finally:
            if sys.exc_info()[0] is not None:
                process.kill()


def _ask(url: str, data: bytes | None = None) -> None:
    with suppress(OSError), urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
        answer.read()


def _status(pid: int) -> dict[str, str]:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {}


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def table(services: list[Soaked], title: str) -> Table:
    """Return the measurements, one column for each service."""
    made = Table(title=title)
    made.add_column("what")
    for service in services:
        made.add_column(f"exporter has {service.name}", justify="right")
    made.add_row("times calm", *(str(len(service.calm)) for service in services))
    for name in MIN_GROWTH:
        made.add_row(f"{name}: first calm, after warm-up … last", *(_growth_of(service, name) for service in services))
    for name in ("threads", "descriptors", "children", "files", "snapshots", "snapshot bytes"):
        made.add_row(f"most {name}", *(f"{service.peaks[name]:,}" for service in services))
    made.add_row("zombies that stayed", *(str(len(service.unreaped)) for service in services))
    for name in sorted(set().union(*(service.done for service in services))):
        made.add_row(name, *(f"{service.done[name]:,}" for service in services))
    return made


def _growth_of(service: Soaked, figure: str) -> str:
    counted = service.counted(figure)
    if not counted:
        return "-"
    line = fit_trend(counted)
    gained = f", trend {line.gained:+.2f}, tau {line.tau:+.2f}" if line else ""
    return f"{service.calm[0][figure]:.1f}, {counted[0][1]:.1f} … {counted[-1][1]:.1f}{gained}"


def main() -> None:
    """Soak, print the table, and end with 1 if something grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="default: %(default)g")
    parser.add_argument("--speed", type=float, default=50.0, help="times the default rate (default: %(default)g)")
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        services, answers = soak(lambda _: time.monotonic() > until, arguments.speed, Path(folder))
        logs = [path.read_text().splitlines() for path in Path(folder).glob("*.log")]
    Console(width=150).print(table(services, f"{arguments.minutes:g} minutes at {arguments.speed:g} times the speed"))
    print("answers of the webhook:", *(f"{answer} {count}" for answer, count in sorted(answers.items())))
    problems = [problem for service in services for problem in service.problems()]
    problems += [line for log in logs for line in log if "Traceback" in line]
    print(*problems or ["everything is flat"], sep="\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
