"""Judge recorded series again, by the very detector that runs in a service, and print each change of verdict.

    heap-exporter replay series/*.csv series/*.csv.gz
    heap-exporter replay --json prod.csv | jq 'select(.state == "confirmed")'
    heap-exporter replay --window 30m --growth-percent 5 prod.csv

A service records its samples in the folder `series` of its snapshot folder, so that an alert, or one that did not come,
can be looked at again, with other thresholds too. Any CSV file does whose header names t_seconds and rss_bytes; the
more of the other columns there are (docs/replay.md), the better is the cause told.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from heap_exporter.alerting.quantities import parse_bytes_per_hour, parse_duration, promql_duration
from heap_exporter.cli import files, screen
from heap_exporter.detection.detector import Detector, DetectorThresholds
from heap_exporter.detection.series import read_series
from heap_exporter.errors import HeapExporterError, SettingsError
from heap_exporter.model import Point, Verdict
from heap_exporter.runtime import formatting
from heap_exporter.settings import MIN_SAMPLES_A_WINDOW, rules

HELP = "judge recorded series again"

WINDOW, GROWTH, SLOPE = "--window", "--growth-percent", "--min-slope"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the files, the detector's thresholds and ``--json``."""
    defaults = {name: default for name, (_, default) in rules().items()}
    parser.add_argument("files", type=files.named, nargs="+", metavar="FILE", help="a series (.csv or .csv.gz)")
    parser.add_argument(
        WINDOW,
        default=f"{defaults['window_seconds'] / 60:g}m",
        metavar="TIME",
        help="the window over which growth is judged (default: %(default)s)",
    )
    parser.add_argument(
        GROWTH,
        type=float,
        default=defaults["growth_threshold_percent"],
        metavar="PERCENT",
        help="growth over the window below which nothing is suspected (default: %(default)g)",
    )
    parser.add_argument(
        SLOPE,
        default=f"{defaults['min_slope_bytes_per_hour'] / (1 << 20):g}MiB/h",
        metavar="SLOPE",
        help="slope below which nothing is suspected (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object a line instead (docs/replay.md)")


def run(arguments: argparse.Namespace) -> int:
    """Print each change of verdict; return 2 if a file could not be read to its end, after the others were judged."""
    replay = partial(_replay, thresholds=_thresholds(arguments), as_json=arguments.json)
    code = 0
    with screen.progress("replay") as told:
        for done, judged in enumerate(_judged(arguments.files, replay), 1):
            for line in judged.lines:
                screen.say(line)
            if judged.problem:
                code = 2
            for words in filter(None, (judged.problem, judged.hint)):
                screen.complain(words)
            told(arguments.files[done - 1].name, done / len(arguments.files))
    return code


class Judged(NamedTuple):
    """What one file says, as lines to print, why it could not be read to its end, and a hint; "" if there is none."""

    lines: list[str]
    problem: str = ""
    hint: str = ""


def changes(points: Iterable[Point], thresholds: DetectorThresholds) -> Iterator[tuple[Point, Verdict]]:
    """Yield each point at which the state or the cause is another than at the point before, with the verdict."""
    detector = Detector(thresholds)
    last: Verdict | None = None
    for point in points:
        verdict = detector.observe(point)
        if last is None or (verdict.state, verdict.cause) != (last.state, last.cause):
            yield point, verdict
        last = verdict


def _thresholds(arguments: argparse.Namespace) -> DetectorThresholds:
    """Return the thresholds as typed. Raises :class:`SettingsError` for one that a service would not take."""
    window, slope = parse_duration(WINDOW, arguments.window), parse_bytes_per_hour(SLOPE, arguments.min_slope)
    typed = {
        WINDOW: ("window_seconds", arguments.window, window),
        GROWTH: ("growth_threshold_percent", arguments.growth_percent, arguments.growth_percent),
        SLOPE: ("min_slope_bytes_per_hour", arguments.min_slope, slope),
    }
    for flag, (setting, text, value) in typed.items():
        rule, _ = rules()[setting]
        if not rule.least <= value <= rule.most:
            raise SettingsError(flag, text, "out of range; heap-exporter replay --help tells the usual")
    return DetectorThresholds(window, arguments.growth_percent, slope)


def _judged(paths: list[Path], replay: Callable[[Path], Judged]) -> Iterator[Judged]:
    """Yield what each file says, in their order; several are read at a time where there are processors for it."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if min(processors, len(paths)) == 1:
        yield from map(replay, paths)
        return
    pool = ProcessPoolExecutor(min(processors, len(paths)), initializer=_ignore_interrupts)
    try:
        yield from pool.map(replay, paths)
    finally:
        pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that prints."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _replay(path: Path, *, thresholds: DetectorThresholds, as_json: bool) -> Judged:
    line = _json_line if as_json else _text_line
    lines: list[str] = []
    times = array("d")
    try:
        for point, verdict in changes(_noting(times, read_series(path)), thresholds):
            lines.append(line(path, point, verdict, times[0]))
    except HeapExporterError as error:
        return Judged(lines, str(error))
    return Judged(lines, hint=_hint(path, times, thresholds.window_seconds))


def _noting(times: array[float], points: Iterable[Point]) -> Iterator[Point]:
    """Yield the points, having put down their times."""
    for point in points:
        times.append(point.t_seconds)
        yield point


def _hint(path: Path, times: Sequence[float], window_seconds: float) -> str:
    """Return what follows from samples that are missing, or too far apart for the window; "" if they are neither."""
    if not times:
        return f"{path}: it has no samples, only a header"
    gaps = [after - before for before, after in pairwise(times) if after > before]
    interval = median(gaps) if gaps else 0.0
    least = MIN_SAMPLES_A_WINDOW * interval
    if window_seconds >= least:
        return ""
    return (
        f"{path}: the samples are {interval:g} s apart, so a window of {promql_duration(window_seconds)} has fewer "
        f"than the {MIN_SAMPLES_A_WINDOW} it takes to judge: a leak is suspected late or never; set {WINDOW} "
        f"{promql_duration(least)} or longer, or record more often"
    )


def _json_line(path: Path, point: Point, verdict: Verdict, _: float) -> str:
    told: dict[str, Any] = asdict(verdict)
    for name in ("judged_at", "growing_types"):  # the time is the point's own, and types are in no series
        del told[name]
    leading = {name: told.pop(name) for name in ("state", "cause", "reasons")}
    for trend in told["trends"]:
        trend["slope_mb_per_hour"] = trend["slope_bytes_per_second"] * 3600 / 1e6
    return json.dumps({"file": str(path), "t_seconds": point.t_seconds, **leading, **told})


def _text_line(path: Path, point: Point, verdict: Verdict, begun: float) -> str:
    since = (
        formatting.duration(point.t_seconds - begun) if point.t_seconds > begun else f"{point.t_seconds - begun:g} s"
    )
    state = f"{verdict.state} ({verdict.cause})" if verdict.cause else str(verdict.state)
    return f"{path}  {point.t_seconds:.0f} (+{since})  {state}: {'; '.join(verdict.reasons)}"
