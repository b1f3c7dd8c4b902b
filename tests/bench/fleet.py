"""Measures a fleet: a scrape of 64 processes, busy and stopped ones, the cost of a member, and the end of the hub.

python -m tests.bench.fleet [WORKERS [KILLS]]
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.processes.programs import environment, eventually, get, get_json
from tests.servers.running import free_port

WORKERS, KILLS, SCRAPES, ROUNDS = 64, 100, 40, 4

SERVICE = """
import os, signal, sys, threading, time
import heap_exporter
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
busy = threading.Event()
def start_worker():
    if os.fork():
        return
    exporter = heap_exporter.start(interval=15, service="shop")
    signal.signal(signal.SIGUSR1, lambda *_: busy.set())
    while True:
        if busy.is_set():
            sum(range(1000))
        else:
            time.sleep(0.2)
for _ in range(int(sys.argv[1])):
    start_worker()
for line in sys.stdin:
    start_worker()
os.killpg(0, signal.SIGKILL)
"""


@contextmanager
def fleet(workers: int, folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run processes that share a port; yield its address, and their parent, which starts one more for each line."""
    port = free_port()
    environ = environment(folder, HEAP_EXPORTER_PORT=str(port))
    command = [sys.executable, "-c", SERVICE, str(workers)]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, text=True, start_new_session=True) as parent:
        try:
            url = f"http://127.0.0.1:{port}/"
            eventually(lambda: processes(url), lambda found: len(found) == workers, 300)
            yield url, parent
        finally:
            with suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)


def processes(url: str) -> list[dict[str, Any]]:
    """Return the processes on a port that have published a page."""
    return [each for each in get_json(f"{url}processes")["processes"] if each["is_up"]]


def scrape_milliseconds(url: str, scrapes: int = SCRAPES) -> list[float]:
    """Return the times of some scrapes, which nothing has cached."""
    times = []
    for _ in range(scrapes):
        time.sleep(1.05)
        begun = time.perf_counter()
        get(f"{url}metrics", "text/plain")
        times.append((time.perf_counter() - begun) * 1000)
    return times


def report_scrapes(title: str, times: list[float]) -> None:
    """Print the median and the 95th percentile of the times of scrapes."""
    p95 = statistics.quantiles(times, n=20)[-1]
    print(f"{title:34} median {statistics.median(times):6.1f} ms   p95 {p95:6.1f} ms", flush=True)


def report_stopped(url: str) -> None:
    """Print the times of scrapes while no process is stopped and while one is, in turn: other load changes."""
    hub = get_json(f"{url}-/healthy")["pid"]
    stopped = next(each["pid"] for each in processes(url) if each["pid"] != hub)
    times: dict[signal.Signals, list[float]] = {signal.SIGCONT: [], signal.SIGSTOP: []}
    for _ in range(ROUNDS):
        for sent, found in times.items():
            os.kill(stopped, sent)
            found.extend(scrape_milliseconds(url, SCRAPES // ROUNDS))
    os.kill(stopped, signal.SIGCONT)
    report_scrapes("idle", times[signal.SIGCONT])
    report_scrapes("one of them stopped", times[signal.SIGSTOP])


def report_series(url: str, workers: int) -> None:
    """Print how many series a scrape has, and whether the sums are those of the processes."""
    lines = [line.rpartition(" ") for line in get(f"{url}metrics", "text/plain").splitlines() if line[:1] != "#"]
    of_each = sum(float(value) for name, _, value in lines if name.startswith("python_heap_unique_bytes{"))
    of_all = sum(float(value) for name, _, value in lines if name.startswith("python_heap_fleet_unique_bytes{"))
    print(f"{workers} processes: {len(lines):,} series; sum of USS {of_all:,.0f}, of each {of_each:,.0f}", flush=True)


def failover_seconds(url: str, parent: subprocess.Popen[str], workers: int) -> float:
    """Kill the hub, start another process, and return after how long the port showed all others."""
    hub = get_json(f"{url}-/healthy")["pid"]
    os.kill(hub, signal.SIGKILL)
    begun = time.perf_counter()
    eventually(lambda: processes(url), lambda found: len(found) == workers - 1, pause_seconds=0.002)
    took = time.perf_counter() - begun
    assert parent.stdin is not None
    print(file=parent.stdin, flush=True)
    eventually(lambda: processes(url), lambda found: len(found) == workers)
    return took


def publishing_milliseconds() -> float:
    """Return the CPU time in which this process publishes its page once."""
    import heap_exporter
    from heap_exporter.fleet.own_process import OwnProcess
    from heap_exporter.fleet.page_publisher import PagePublisher

    with tempfile.TemporaryDirectory() as folder, heap_exporter.start(snapshot_dir=folder, http=False) as exporter:
        eventually(lambda: exporter.monitor.reading().census)
        publisher = PagePublisher(Path(folder), OwnProcess(exporter.monitor.reading, 9465, 15.0))
        begun = time.thread_time()
        for _ in range(200):
            publisher.publish(exporter.monitor.reading())
        return (time.thread_time() - begun) * 1000 / 200


def main(workers: int, kills: int) -> None:
    """Print all measurements."""
    print(f"publishing a page: {publishing_milliseconds():.2f} ms of CPU time a sample", flush=True)
    with tempfile.TemporaryDirectory() as folder, fleet(workers, Path(folder)) as (url, parent):
        report_series(url, workers)
        report_stopped(url)
        times = [failover_seconds(url, parent, workers) for _ in range(kills)]
        print(json.dumps({"hub killed": kills, "median_s": statistics.median(times), "max_s": max(times)}), flush=True)
        for pid in [each["pid"] for each in processes(url)][:8]:
            os.kill(pid, signal.SIGUSR1)
        report_scrapes("8 of them in busy loops", scrape_milliseconds(url))


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    main(*(given + [WORKERS, KILLS][len(given) :]))
