"""Records the programs of ``training/programs``: ``python -m training.record [NAME...]``, about an hour.

They run in real time, many at once, each in processes of its own with a short window: minutes are many windows. The
probes of the product sample them. ``truth.json`` has whether and how fast each leaks.
"""

from __future__ import annotations

import argparse
import gzip
import inspect
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from heap_exporter.model import Point
from heap_exporter.recording.csv_format import HEADER
from heap_exporter.recording.series_reader import read_series
from training.corpus.recorded import FOLDER, TRUTH
from training.programs import healthy, leaking, services

MIB = 1 << 20
PARALLEL = 16
PACES = ((20.0, 0.5, 6.0), (30.0, 1.0, 9.0), (20.0, 1.0, 5.0), (60.0, 2.0, 15.0), (30.0, 1.0, 10.0), (120.0, 4.0, 28.0))
"""Windows and intervals in seconds, and minutes that a program is recorded for."""

EDGE_SAMPLES = 8
"""Samples at the begin and the end of a process whose minima give its growth."""


@dataclass(frozen=True)
class Recording:
    """A program to record.

    ``leaks_after`` is the second at which a leak begins, ``None`` for a healthy program. The program is started again
    ``life_seconds`` after its start, or once it has grown by ``max_growth_mib``: it is killed then. ``python`` is the
    version that runs it, that of this process if empty.
    """

    name: str
    program: str
    window_seconds: float
    interval_seconds: float
    minutes: float
    leaks_after: float | None = None
    life_seconds: float | None = None
    max_growth_mib: float | None = None
    python: str = ""


def recordings() -> list[Recording]:
    """Return all recordings, the longest first."""
    programs = [
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in (leaking, healthy, services)
        for name, function in vars(module).items()
        if inspect.isgeneratorfunction(function) and not name.startswith("_") and function.__module__ == module.__name__
    ]
    plain = [_plain(program, *PACES[number % len(PACES)]) for number, program in enumerate(programs)]
    return sorted(plain + _restarting() + _other_versions(), key=lambda one: -one.minutes)


def _plain(program: str, window: float, interval: float, minutes: float) -> Recording:
    module, _, function = program.partition(".")
    leaks = module == "leaking" or function.endswith("_leaking")
    onset = (leaking.LATE_SECONDS if function.startswith("late_") else 0.0) if leaks else None
    return Recording(function, program, window, interval, minutes, onset)


def _restarting() -> list[Recording]:
    def again(program: str, name: str, pace: tuple[float, float, float], **changes: float) -> Recording:
        return replace(_plain(f"{program}", *pace), name=name, **changes)  # type: ignore[arg-type]  # floats only

    quick, middle, slow = PACES[0], PACES[1], PACES[3]
    return [
        again("leaking.list_of_records", "killed_list", quick, max_growth_mib=4),
        again("leaking.native_blocks", "killed_native", middle, max_growth_mib=6),
        again("leaking.numpy_arrays", "killed_arrays", quick, max_growth_mib=8),
        again("leaking.documents", "killed_documents", slow, max_growth_mib=12),
        again("services.flask_leaking", "killed_flask", middle, max_growth_mib=6),
        again("leaking.tasks", "deployed_tasks", middle, life_seconds=100),
        again("leaking.dict_of_sessions", "deployed_sessions", slow, life_seconds=210),
        again("healthy.popular_keys", "deployed_keys", middle, life_seconds=75),
        again("healthy.lazy_imports", "deployed_imports", quick, life_seconds=45),
        again("healthy.lru_filling_quickly", "deployed_lru", middle, life_seconds=130),
        again("services.flask_healthy", "deployed_flask", slow, life_seconds=160),
        again("healthy.spikes", "killed_by_spikes", middle, max_growth_mib=9),
    ]


def _other_versions() -> list[Recording]:
    programs = (
        "leaking.dict_of_sessions",
        "healthy.collected_as_usual",
        "healthy.popular_keys",
        "leaking.under_sawtooth",
    )
    return [
        replace(one, name=f"{one.name}_{version.replace('.', '_')}", python=version)
        for version in ("3.12", "3.13")
        for one in (_plain(program, *PACES[number % 2]) for number, program in enumerate(programs))
    ]


def record(one: Recording) -> None:
    """Run a program for its time, and write its series."""
    python = shutil.which(f"python{one.python}") if one.python else sys.executable
    if python is None:
        print(f"{one.name}: not recorded, because there is no python{one.python} on the PATH")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.csv"
        path.write_text(HEADER)
        began = time.monotonic()
        for life, left in enumerate(_time_left(began + one.minutes * 60)):
            seconds = min(left, one.life_seconds or left)
            limit = (one.max_growth_mib or 1e6) * MIB
            ended = subprocess.run(
                [python, "-m", "training.programs.run", one.program, f"{one.name} {life}", path,
                 f"--began={began}", f"--seconds={seconds}", f"--window={one.window_seconds}",
                 f"--interval={one.interval_seconds}", f"--max-growth={limit}"],
                check=False,
            )  # fmt: skip  # one command
            if ended.returncode not in (0, -signal.SIGKILL):
                raise SystemExit(f"{one.name} is not recorded: {one.program} ended with {ended.returncode}")
            time.sleep(Random(f"{one.name} {life}").uniform(0.2, 3))
        with gzip.GzipFile(FOLDER / f"{one.name}.csv.gz", "wb", mtime=0) as file:
            file.write(path.read_bytes())


def _time_left(end: float) -> Iterator[float]:
    """Yield the seconds until ``end`` as long as there are some."""
    while (left := end - time.monotonic()) > 5:
        yield left


def truth_of(one: Recording) -> dict[str, object]:
    """Return what is known about a recording; the rate of a leak is that of its processes, by their lows."""
    points = list(read_series(FOLDER / f"{one.name}.csv.gz"))
    onset = None if one.leaks_after is None else points[0].t_seconds + one.leaks_after
    return {
        "family": one.program.partition(".")[2],
        "window_seconds": one.window_seconds,
        "interval_seconds": one.interval_seconds,
        "onset_seconds": onset,
        "bytes_per_hour": None if onset is None else _rate([each for each in points if each.t_seconds >= onset]),
    }


def _rate(points: Sequence[Point]) -> float:
    begins = [number for number, each in enumerate(points) if each.restart or not number]
    processes = [points[begin:end] for begin, end in zip(begins, [*begins[1:], len(points)], strict=True)]
    rates = []
    for process in processes:
        begun = process[len(process) // 10 :]
        if len(begun) >= 2 * EDGE_SAMPLES:
            low, high = (
                min(each.growing_bytes for each in part) for part in (begun[:EDGE_SAMPLES], begun[-EDGE_SAMPLES:])
            )
            seconds = begun[-EDGE_SAMPLES].t_seconds - begun[0].t_seconds
            rates.append((high - low) / seconds * 3600)
    return round(statistics.median(rates))


def main() -> None:
    """Record the named programs, or all of them, and write ``truth.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="recordings; all of them by default")
    parser.add_argument("--parallel", type=int, default=PARALLEL, help="programs that run at the same time")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    known = recordings()
    with ThreadPoolExecutor(options.parallel) as pool:
        list(pool.map(record, [one for one in known if not options.names or one.name in options.names]))
    existing = [one for one in known if (FOLDER / f"{one.name}.csv.gz").exists()]
    truth = {one.name: truth_of(one) for one in sorted(existing, key=lambda one: one.name)}
    TRUTH.write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main()
