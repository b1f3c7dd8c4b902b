"""Go's pprof reads the profiles of a running service, and heap-exporter's command shows and writes them."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.answers import pprof_prints
from tests.processes.commands import command_line
from tests.processes.programs import environment, get, get_json, next_json, program

SERVICE = """
import json, sys
import heap_exporter

exporter = heap_exporter.start(port=0, allocations="always", allocations_interval="4KiB", interval=60)
sampler = exporter.allocations
sampler.start()
KEPT = []
def create(count):
    KEPT.append([bytes(1000) for _ in range(count)])
create(3000)
KEPT.append([bytes(1000) for _ in range(2000)])
print(json.dumps(exporter.url), flush=True)
for line in sys.stdin:
    create(int(line))
    print(json.dumps(len(KEPT)), flush=True)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """Return a service that samples allocations, and its URL."""
    with program(SERVICE, tmp_path_factory.mktemp("service")) as process:
        yield process, next_json(process)


def sums(target: Path, index: str) -> dict[str, int]:
    """Return the flat values of the lines in a profile."""
    text = pprof_prints(
        "-top", "-lines", "-unit=B", f"-sample_index={index}", "-nodefraction=0", "-nodecount=100000", target
    )
    rows = re.findall(r"^\s*(\d+)B?\s+\S+%\s+\S+%\s+\d+B?\s+\S+%\s+(.*)$", text, re.MULTILINE)
    found: dict[str, int] = {}
    for flat, name in rows:
        found[name] = found.get(name, 0) + int(flat)
    return found


def saved(url: str, target: Path) -> Path:
    with urllib.request.urlopen(url) as response:
        target.write_bytes(response.read())
    return target


@pytest.mark.usefixtures("pprof")
@pytest.mark.parametrize(("path", "index"), [("heap", "inuse_space"), ("allocs", "alloc_space")])
def test_pprof_computes_the_totals_of_the_json(service: Any, tmp_path: Path, path: str, index: str) -> None:
    _, url = service
    before = get_json(f"{url}allocations")
    frames = sums(saved(f"{url}debug/pprof/{path}", tmp_path / "a.pb.gz"), index)
    after = get_json(f"{url}allocations")

    name = "live_bytes" if path == "heap" else "allocated_bytes"
    low, high = sorted((before[name], after[name]))
    assert low * 0.99 - 10_000 <= sum(frames.values()) <= high * 1.01 + 10_000
    lines = {frame.split(" ")[0] for frame in frames if "program.py" in frame}
    assert {"create", "<module>"} <= lines


@pytest.mark.usefixtures("pprof")
def test_pprof_shows_first_what_the_route_is_about(service: Any, tmp_path: Path) -> None:
    _, url = service

    texts = [
        pprof_prints("-top", saved(f"{url}debug/pprof/{path}", tmp_path / f"{path}.pb.gz"))
        for path in ("heap", "allocs")
    ]
    kinds = [re.findall(r"^Type: (.*)$", text, re.MULTILINE) for text in texts]

    assert kinds == [["inuse_space"], ["alloc_space"]]


def test_the_growth_of_a_second_has_only_what_was_allocated_in_it(service: Any) -> None:
    process, url = service
    growth = json.loads(get(f"{url}allocations?seconds=1"))
    print(2000, file=process.stdin, flush=True)
    next_json(process)

    assert not [line for line in growth["lines"] if line["file"] == "program.py"]
    assert json.loads(get(f"{url}allocations"))["live_bytes"] > 5_000_000


def test_the_command_shows_the_lines_and_writes_a_profile(service: Any, tmp_path: Path) -> None:
    _, url = service
    target = tmp_path / "heap.pb.gz"
    runs = [
        subprocess.run(
            command_line("allocations", url, *options),
            capture_output=True,
            text=True,
            env=environment(tmp_path),
            check=True,
        ).stdout
        for options in ((), ("--json",), ("-o", target))
    ]

    assert re.search(r" MiB ± .*KiB  program\.py:\d+ in create", runs[0])
    assert json.loads(runs[1])["lines"][0]["file"] == "program.py"
    assert target.read_bytes()[:2] == b"\x1f\x8b"


def test_the_command_samples_for_some_seconds_where_the_service_does_not(tmp_path: Path) -> None:
    with program(SERVICE.replace("always", "off").replace("sampler.start()\n", ""), tmp_path) as process:
        url = next_json(process)
        shown = subprocess.run(
            command_line("allocations", url, "--seconds", "1"),
            capture_output=True, text=True, env=environment(tmp_path), check=True,
        ).stdout  # fmt: skip  # one command
        refused = subprocess.run(
            command_line("allocations", url), capture_output=True, text=True, env=environment(tmp_path), check=False
        )

    assert " by " in shown
    assert (refused.returncode, refused.stdout[:8]) == (1, "refused:")


def test_two_snapshots_of_the_service_show_where_their_growth_was_allocated(service: Any, tmp_path: Path) -> None:
    process, url = service
    paths = []
    for count in (0, 3000):
        print(count, file=process.stdin, flush=True)
        next_json(process)
        paths.append(get_json(f"{url}snapshots", data=b"reason=test")["path"])

    reports = [
        subprocess.run(
            command_line("report", *paths, *options),
            capture_output=True,
            text=True,
            env=environment(tmp_path),
            check=True,
        ).stdout
        for options in ((), ("--json",))
    ]
    page = tmp_path / "report.html"
    subprocess.run(
        command_line("report", *paths, "-o", page), capture_output=True, env=environment(tmp_path), check=True
    )

    assert re.search(r"Allocated at `?program\.py:\d+`? in `?create", reports[0])
    largest = json.loads(reports[1])["allocated_at"][0]
    assert (largest["file"], 2e6 < largest["bytes"] < 4.5e6) == ("program.py", True)
    assert "Allocated at" in page.read_text()
