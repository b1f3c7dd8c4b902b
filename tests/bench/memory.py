"""Measures what `start()` costs a process, in memory and modules, next to the server of client_python.

Each row is the median of fresh processes, which take turns. The interpreter begins without `site`, so that no `.pth`
file of the virtualenv has loaded modules before. Each process has been sampled, judged and scraped once.

Run it with ``make bench``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROUNDS = 7

PROGRAM = """
import os, site, sys
def resident_kib():
    with open("/proc/self/smaps_rollup", "rb") as file:
        return int(file.read().split(b"Rss:")[1].split()[0])
before = resident_kib()
{start}
print(url or "", flush=True)
sys.stdin.readline()
print(resident_kib() - before, len(sys.modules), flush=True)
os._exit(0)
"""

OURS = """
import heap_exporter, threading
exporter = heap_exporter.start(port=0, http={http})
counted = threading.Event()
exporter.monitor.on_reading(lambda reading: reading.census and reading.verdict and counted.set())
counted.wait()
assert exporter.monitor.reading().walker.name == "native"
url = exporter.url and exporter.url + "metrics"
"""

ROWS = {
    "the bare interpreter": "url = None",
    "start(http=False)": OURS.format(http=False),
    "start()": OURS.format(http=True),
    "client_python: start_http_server()": (
        "import prometheus_client\n"
        "server, _ = prometheus_client.start_http_server(0, addr='127.0.0.1')\n"
        "url = f'http://127.0.0.1:{server.server_port}/metrics'"
    ),
}


def measure(start: str) -> tuple[float, int]:
    """Return the MiB of resident memory and the number of modules of a process that runs ``start``."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.pathsep.join([str(Path(__file__).parents[2]), sysconfig.get_path("platlib")])
        environ = {**os.environ, "PYTHONPATH": path, "HEAP_EXPORTER_SNAPSHOT_DIR": folder}
        command = [sys.executable, "-S", "-c", PROGRAM.format(start=start)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
        ) as process:
            assert process.stdin
            assert process.stdout
            if url := process.stdout.readline().strip():
                urllib.request.urlopen(url).read()
            print(file=process.stdin, flush=True)
            kib, modules = map(int, process.stdout.readline().split())
    return kib / 1024, modules


def main() -> None:
    """Measure in turns, and print the table."""
    measured: dict[str, list[tuple[float, int]]] = {name: [] for name in ROWS}
    for _ in range(ROUNDS):
        for name, start in ROWS.items():
            measured[name].append(measure(start))
    table = Table(title=f"resident memory over the bare interpreter, medians of {ROUNDS} processes each")
    for column in ("what", "MiB", "least", "most", "modules imported"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, found in measured.items():
        sizes = [size for size, _ in found]
        figures = (statistics.median(sizes), min(sizes), max(sizes))
        table.add_row(name, *(f"{figure:.1f}" for figure in figures), str(max(count for _, count in found)))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
