"""What a running exporter costs the memory of its process: `make bench` measures it, this states what is not loaded."""

from __future__ import annotations

from pathlib import Path

from tests.processes.programs import next_json, program

HEAVY = {
    "asyncio", "concurrent.futures", "csv", "datetime", "decimal", "difflib", "email", "gzip", "hashlib", "_hashlib",
    "hmac", "http.client", "multiprocessing", "opentelemetry", "platform", "prometheus_client", "psutil", "random",
    "requests", "shutil", "ssl", "statistics", "subprocess", "tempfile", "urllib.request",
}  # fmt: skip  # a list of names

AT_REST = """
import json, sys, threading
before = set(sys.modules)
import heap_exporter
exporter = heap_exporter.start(http=False, interval_seconds=0.05, window_seconds=2, census_interval_seconds=0.2)
judged = threading.Event()
exporter.monitor.on_reading(lambda reading: reading.census and reading.verdict and judged.set())
judged.wait()
print(json.dumps([len(sys.modules), sorted(set(sys.modules) - before)]), flush=True)
"""


def test_without_a_port_a_running_exporter_loads_few_modules_and_no_heavy_one(tmp_path: Path) -> None:
    with program(AT_REST, tmp_path) as process:
        count, loaded = next_json(process)

    assert not HEAVY & set(loaded)
    assert count <= 250
