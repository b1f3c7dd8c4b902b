"""Soaks the exporter: leaks, alerts, snapshots and webhooks over and over, its own memory watched from outside.

Two services run at once, all times divided by the speed. In one the exporter lives all the time; in the other it is
stopped and started anew after each leak, so that each is suspected and told again. Both are scraped and asked for
snapshots, alone and in crowds, and their webhook is one that also hangs, refuses and fails. Ends with 1 if anything
grows. ``python -m tests.bench.soak --minutes 20 --speed 50``
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

from heap_exporter.detection.suspicion import MIN_NOISES, MIN_TAU
from heap_exporter.detection.trend import fit_trend
from tests.bench.unreliable_webhook import unreliable_webhook

WARM_UP_SHARE = 0.4
"""Part of the run that does not count: the history of samples fills for as long."""

MIN_GROWTH = {"memory, MiB": 1.0, "threads": 1.0, "descriptors": 1.0}
"""What each figure must gain after the warm-up, steadily, to count as growing."""

KEEP, QUOTA_BYTES = 8, 64 * 1024**2
MAX_FILES = 100
"""Quota of the folder, and more files than its snapshots, their reports and marks, and twenty series have together."""

CALM_WINDOWS = 8
"""How long a suspicion is given to end once its leak was reset."""

REAPED_WITHIN_SECONDS = 5.0
"""How long a child that has ended may wait for the exporter's thread, which sleeps between samples."""

VISIT_SECONDS = 1.0
CROWD = 20


@dataclass
class Soaked:
    """A service, what it looked like from outside whenever it was calm, and what it has done."""

    name: str
    process: subprocess.Popen[str]
    folder: Path
    calm: list[dict[str, float]] = field(default_factory=list)
    peaks: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    undead: set[int] = field(default_factory=set)
    url: str | None = None
    zombies: dict[int, float] = field(default_factory=dict)

    def follow(self, is_over: Callable[[], bool]) -> None:
        """Read what the service says, look at it whenever it is calm, and have it end when all is over."""
        assert self.process.stdout
        assert self.process.stdin
        before: Counter[str] = Counter()
        for line in self.process.stdout:
            said = json.loads(line)
            if "url" in said:
                before = self.done
                self.url = said["url"]
                continue
            self._look()
            if "done" not in said:
                continue
            self.done = before + Counter(said["done"])
            self.process.stdin.write("end\n" if is_over() else "go on\n")
            self.process.stdin.flush()
        self.url = None

    def _look(self) -> None:
        pid = self.process.pid
        status = _status(pid)
        zombies = {child for child in _children(pid) if _status(child).get("State", "").startswith("Z")}
        now = time.monotonic()
        self.zombies = {child: self.zombies.get(child, now) for child in zombies}
        self.undead |= {child for child, since in self.zombies.items() if now - since >= REAPED_WITHIN_SECONDS}
        kibibytes = sum(int(status.get(name, "0").split()[0]) for name in ("RssAnon", "VmSwap"))
        figures = (kibibytes / 1024, float(status["Threads"]), float(len(os.listdir(f"/proc/{pid}/fd"))))
        self.calm.append({"t": now, **dict(zip(MIN_GROWTH, figures, strict=True))})

    def glance(self) -> None:
        """Keep the highest of what may vary from moment to moment."""
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
        """Scrape, look at the pages, and now and then ask for snapshots: one, or with a crowd of others."""
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
        """Return what grows, or is beyond its bounds, in words."""
        found = [f"{name} grow" for name in MIN_GROWTH if self.grown(name)]
        if not self.done["alerts"]:
            found.append("no leak was told")
        if self.undead:
            found.append(f"zombies that nobody reaps: {len(self.undead)}")
        if self.peaks["snapshots"] > KEEP + 1 or self.peaks["files"] > MAX_FILES:
            found.append("the folder has too many files")
        if self.peaks["snapshot bytes"] > QUOTA_BYTES:
            found.append("the folder is larger than its quota")
        if self.process.returncode:
            found.append(f"it ended with {self.process.returncode}")
        return [f"{self.name}: {what}" for what in found]

    def counted(self, figure: str) -> list[tuple[float, float]]:
        """Return a figure of each calm moment after the warm-up, with its time in seconds."""
        if not self.calm:
            return []
        first, last = self.calm[0]["t"], self.calm[-1]["t"]
        since = first + WARM_UP_SHARE * (last - first)
        return [(look["t"] - first, look[figure]) for look in self.calm if look["t"] >= since]

    def grown(self, figure: str) -> bool:
        """Return whether a figure rises steadily after the warm-up, by the product's own measure of that."""
        line = fit_trend(self.counted(figure))
        if line is None:
            return False
        return line.gained >= max(MIN_GROWTH[figure], MIN_NOISES * line.noise) and line.tau >= MIN_TAU


def settings(speed: float, webhook: str) -> dict[str, Any]:
    """Return the default settings at so many times their speed, with all that can be on turned on."""
    return {
        "interval_seconds": 15 / speed,
        "census_interval_seconds": 60 / speed,
        "census_cpu_percent": min(0.5 * speed, 100),
        "window_seconds": 900 / speed,
        "min_slope_bytes_per_hour": 8 * 1024**2 * speed,
        "snapshot_cooldown_seconds": 3600 / speed,
        "snapshots_a_day": 10_000,
        "snapshot_keep": KEEP,
        "snapshot_max_bytes": QUOTA_BYTES,
        "alert_webhook_url": webhook,
    }


def soak(
    is_over: Callable[[list[Soaked]], bool], speed: float, folder: Path, calm_windows: int = CALM_WINDOWS
) -> tuple[list[Soaked], Counter[str]]:
    """Soak two services until it is over, and each is calm; return what was seen, and the hook's moods."""
    with ExitStack() as ending:
        webhook, moods = ending.enter_context(unreliable_webhook())
        services = [
            ending.enter_context(_running(name, folder, settings(speed, webhook), calm_windows))
            for name in ("one life", "many lives")
        ]
        asked = functools.partial(is_over, services)
        followers = [threading.Thread(target=service.follow, args=[asked]) for service in services]
        for follower in followers:
            follower.start()
        rounds = 0
        while any(follower.is_alive() for follower in followers):
            time.sleep(VISIT_SECONDS)
            rounds += 1
            for service in services:
                with suppress(OSError):  # the service, or a file, that has just ended
                    service.visit(rounds)
                    service.glance()
    return services, moods


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
                *(["lives"] if name == "many lives" else []),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # What is let go of is given back at once, so that nothing but the exporter's own is left to be seen.
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
    """Return what was seen, a column a service."""
    made = Table(title=title)
    made.add_column("what")
    for service in services:
        made.add_column(f"exporter has {service.name}", justify="right")
    made.add_row("times calm", *(str(len(service.calm)) for service in services))
    for name in MIN_GROWTH:
        made.add_row(f"{name}: first calm, after warm-up … last", *(_course(service, name) for service in services))
    for name in ("threads", "descriptors", "children", "files", "snapshots", "snapshot bytes"):
        made.add_row(f"most {name}", *(f"{service.peaks[name]:,}" for service in services))
    made.add_row("zombies that stayed", *(str(len(service.undead)) for service in services))
    for name in sorted(set().union(*(service.done for service in services))):
        made.add_row(name, *(f"{service.done[name]:,}" for service in services))
    return made


def _course(service: Soaked, figure: str) -> str:
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
        services, moods = soak(lambda _: time.monotonic() > until, arguments.speed, Path(folder))
        logs = [path.read_text().splitlines() for path in Path(folder).glob("*.log")]
    Console(width=150).print(table(services, f"{arguments.minutes:g} minutes at {arguments.speed:g} times the speed"))
    print("moods of the hook:", *(f"{mood} {count}" for mood, count in sorted(moods.items())))
    problems = [problem for service in services for problem in service.problems()]
    problems += [line for log in logs for line in log if "Traceback" in line]
    print(*problems or ["everything is flat"], sep="\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
