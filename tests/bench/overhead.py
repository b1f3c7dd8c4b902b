"""Measures the agent's cost to a service: CPU time and throughput with and without it, in alternation.

A period at the default intervals is a minute, and the agent works a tenth of a second of it: too little to measure.
So the agent runs at a multiple of its default rate, and the result is divided by that. All features that are on by
default are on: the native walker where it works, the judge and the recording. A second measurement shows the cost of a
sample alone, at twenty a second and without further censuses.
Run it with ``make bench``; ``--speed 1 --seconds 60`` measures the default rate itself.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

TICK_SECONDS, TICK_WINDOW_SECONDS, SETTLE_WINDOWS = 0.05, 3.0, 5
"""The window has as many samples as by default, and the judge gets as many before the measurement."""

SETTLE_SECONDS = 1.5
"""The time after each start that is not measured: the first census belongs to it."""


class Service:
    """The service under load, as a process of its own."""

    def __init__(self, objects: int) -> None:
        command = [sys.executable, "-m", "tests.bench.service", str(objects)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._client = http.client.HTTPConnection("127.0.0.1", self._answer()["port"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line else sys.exit("the service ended; its error is above")

    def send(self, command: str, figure: str = "cpu") -> float:
        """Send a command; return one of the service's values."""
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return float(self._answer()[figure])

    def turn_on(self, **settings: float) -> None:
        """Start the agent."""
        self.send(f"on {json.dumps(settings)}")

    def tick_microseconds(self, rounds: int = 12) -> float:
        """Return the CPU time of a sample and of its processing: the median of rounds of a second."""
        self.turn_on(interval=TICK_SECONDS, window=TICK_WINDOW_SECONDS, census_interval=86400)
        time.sleep(SETTLE_WINDOWS * TICK_WINDOW_SECONDS)
        found = []
        for _ in range(rounds):
            samples, used = self.send("time", "samples"), self.send("time", "own")
            time.sleep(1)
            found.append((self.send("time", "own") - used) / (self.send("time", "samples") - samples) * 1e6)
        self.send("off")
        return statistics.median(found)

    def load(self, seconds: float) -> tuple[float, float]:
        """Send requests for a while; return (processor microseconds a request, requests a second)."""
        cpu, began, count = self.send("time"), time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            self._client.request("GET", "/")
            self._client.getresponse().read()
            count += 1
        return (self.send("time") - cpu) / count * 1e6, count / (time.perf_counter() - began)

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def at_speed(speed: float) -> dict[str, float]:
    """Return the default intervals, divided by ``speed``."""
    return {
        "interval": 15 / speed,
        "census_interval": 60 / speed,
        "census_cpu": 0.5 * speed,
        "window": 900 / speed,
    }


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=200_000, help="gc-tracked objects (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each half of a pair (default: %(default)g)")
    parser.add_argument("--speed", type=float, default=10.0, help="multiple of the default rate (default: %(default)g)")
    arguments = parser.parse_args()

    service = Service(arguments.objects)
    service.load(2.0)
    cpu, throughput, own = [], [], []
    for pair in range(arguments.pairs):
        halves: dict[bool, tuple[float, float]] = {}
        for on in (pair % 2 == 0, pair % 2 != 0):
            if on:
                service.turn_on(**at_speed(arguments.speed))
            else:
                service.send("off")
            service.load(SETTLE_SECONDS)
            halves[on] = service.load(arguments.seconds)
        own.append(1 + service.send("off", "own") / (arguments.seconds + SETTLE_SECONDS))
        cpu.append(halves[True][0] / halves[False][0])
        throughput.append(halves[False][1] / halves[True][1])
    tick = service.tick_microseconds()
    service.end()

    title = f"agent on / off, {arguments.objects:,} objects, {arguments.pairs} pairs, speed ×{arguments.speed:g}"
    table = Table(title=title)
    for column in ("what", "ratio: median", "least", "most", "added at the default rate"):
        table.add_column(column, justify="left" if column == "what" else "right")
    rows = {"processor time a request": cpu, "time a request": throughput, "the agent's own count of a core": own}
    for name, ratios in rows.items():
        median = statistics.median(ratios)
        added = f"{(median - 1) / arguments.speed:+.2%}"
        table.add_row(name, f"{median:.4f}", f"{min(ratios):.4f}", f"{max(ratios):.4f}", added)
    Console().print(table)
    print(f"a sample, judged, recorded and exported: {tick:.0f} µs of CPU time, the median of the samples of a second")


if __name__ == "__main__":
    main()
