"""What a running exporter costs the memory of its process: `make bench` measures it, this states what is not loaded."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.processes.programs import get, get_json, next_json, program

HEAVY = {
    "asyncio", "concurrent.futures", "csv", "datetime", "decimal", "difflib", "email", "encodings.idna", "gzip",
    "hashlib", "_hashlib", "hmac", "http.client", "multiprocessing", "opentelemetry", "platform", "prometheus_client",
    "psutil", "random", "requests", "shutil", "ssl", "statistics", "subprocess", "tempfile", "urllib.request",
}  # fmt: skip  # a list of names

SERVICE = """
import json, sys, threading
def resident_mib():
    with open("/proc/self/smaps_rollup", "rb") as file:
        return int(file.read().split(b"Rss:")[1].split()[0]) / 1024
before, before_mib = set(sys.modules), resident_mib()
import heap_exporter
exporter = heap_exporter.start(port=0, http={http}, interval=0.05, window=2, census_interval=0.2)
judged = threading.Event()
exporter.monitor.on_reading(lambda reading: reading.census and reading.verdict and judged.set())
judged.wait()
print(json.dumps(exporter.url), flush=True)
sys.stdin.readline()
print(json.dumps([len(sys.modules), sorted(set(sys.modules) - before), resident_mib() - before_mib]), flush=True)
"""


@pytest.mark.parametrize(("http", "max_modules", "max_mib"), [(False, 275, 11), (True, 305, 19)])
def test_a_service_that_is_judged_and_scraped_has_few_modules_and_no_heavy_one(
    http: bool, max_modules: int, max_mib: float, tmp_path: Path
) -> None:
    with program(SERVICE.format(http=http), tmp_path) as process:
        if url := next_json(process):
            assert "python_heap_leak_state" in get(f"{url}metrics", "application/openmetrics-text; version=1.0.0")
            assert get_json(f"{url}-/healthy")["status"] == "ok"
        assert process.stdin is not None
        print(file=process.stdin, flush=True)
        count, loaded, mib = next_json(process)

    assert not HEAVY & set(loaded)
    assert count <= max_modules
    assert mib <= max_mib


def test_the_exit_watcher_has_few_modules() -> None:
    code = """
        import sys
        sys.path.append(sys.argv[1])
        import heap_exporter.recording.exit_watcher
        print(*sys.modules)
    """
    command = [sys.executable, "-I", "-S", "-c", textwrap.dedent(code), str(Path(__file__).parents[2])]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert not {"dataclasses", "heap_exporter.model", "logging", "pathlib", "re", "threading", "typing"} & set(loaded)
    assert len(loaded) <= 70


def test_a_command_imports_only_its_own_modules() -> None:
    code = """
        import sys
        from heap_exporter.cli import main
        try:
            main(["top", "--help"])
        except SystemExit:
            print(*sys.modules)
    """
    shown = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, text=True)
    loaded = shown.stdout.splitlines()[-1].split()

    assert [name for name in loaded if name.endswith("_command")] == ["heap_exporter.cli.top_command"]
    assert not {"http.client", "ssl", "subprocess", "heap_exporter.detection"} & set(loaded)
