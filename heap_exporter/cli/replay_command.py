"""Run the leak detector of a service on recorded samples, and print each change of the verdict.

    heap-exporter replay series/*.csv series/*.csv.gz
    heap-exporter replay --json prod.csv | jq 'select(.state == "confirmed")'
    heap-exporter replay --window 30m --growth-threshold 5% prod.csv

A service records its samples and its detection thresholds in the folder `series` of its snapshot folder. Replay them to
find out why an alert was or was not sent, and to try other thresholds. Any CSV file with the columns
t_seconds and rss_bytes works. Each further column of docs/replay.md makes the cause more precise. --verbose prints the
numbers behind each verdict.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, astuple
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from heap_exporter.cli import files, screen
from heap_exporter.detection.detector import Detector
from heap_exporter.detection.feature_rows import feature_rows
from heap_exporter.detection.features import NAMES
from heap_exporter.errors import HeapExporterError
from heap_exporter.model import DetectorThresholds, Point, Verdict
from heap_exporter.recording.series_reader import JudgedPoint, read_judged_series
from heap_exporter.report import reason_text
from heap_exporter.report.verdict_text import verdict_summary
from heap_exporter.runtime import formatting
from heap_exporter.runtime.quantities import short_duration
from heap_exporter.runtime.subprocesses import ignore_interrupts
from heap_exporter.settings import MIN_SAMPLES_A_WINDOW, Settings, definitions

HELP = "run the leak detector on recorded samples"

MIN_UNIX_SECONDS = 1e9
"""Smaller times in a series are seconds since its start, and are printed as such."""

OPTIONS = {
    "window": "the detection window: the time over which growth is measured",
    "growth_threshold": "the minimum growth within the detection window for a suspicion",
    "min_slope": "the minimum growth rate for a suspicion",
}
"""The settings of the detector, which are options of the command, with their help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the files, the detector's thresholds and ``--json``."""
    parser.add_argument(
        "files", type=files.input_path, nargs="+", metavar="FILE", help="recorded series (.csv or .csv.gz)"
    )
    for name, text in OPTIONS.items():
        rule, default = definitions()[name].rule, definitions()[name].default
        shown = rule.text(default)
        usual = f"{text} (default: as recorded, else {shown})"
        parser.add_argument(_option(name), metavar=shown, help=usual.replace("%", "%%"))
    parser.add_argument("--json", action="store_true", help="print one JSON object per line (docs/replay.md)")
    parser.add_argument(
        "--features",
        action="store_true",
        help="print the features of the leak model as CSV instead of verdicts, to train on them (docs/detection.md)",
    )
    screen.add_verbose(parser, "the reasons for each verdict")


def run(arguments: argparse.Namespace) -> int:
    """Print each change of the verdict. Return the exit code: 0, or 2 if a file could not be read to its end."""
    typed = _thresholds(arguments)
    replay = partial(_replay, typed=typed, line=_line_format(arguments))
    if arguments.features:
        replay = partial(_features, typed=typed)
        screen.print_line(",".join(("file", "t_seconds", *NAMES)))
    code = 0
    with screen.progress("replay") as report_progress:
        for done, judged in enumerate(_judge_all(arguments.files, replay), 1):
            for line in judged.lines:
                screen.print_line(line)
            if judged.problem:
                code = 2
            for text in filter(None, (judged.problem, judged.hint)):
                screen.print_message(text)
            report_progress(arguments.files[done - 1].name, done / len(arguments.files))
    return code


LineFormat = Callable[[Path, Point, Verdict, float], str]
"""Formats a change: the file, the point, its verdict, and the time of the first point."""


class JudgedFile(NamedTuple):
    """The lines to print for one file, why it could not be read to its end ("" if it could), and a hint or ""."""

    lines: list[str]
    problem: str = ""
    hint: str = ""


class TypedThresholds(NamedTuple):
    """The thresholds of the command line, ``None`` for those that are not given."""

    window_seconds: float | None = None
    growth_percent: float | None = None
    min_slope_bytes_per_hour: float | None = None

    def over(self, recorded: DetectorThresholds | None) -> DetectorThresholds:
        """Return the detection thresholds of a point: from the command line, else as recorded, else the defaults."""
        usual = astuple(recorded or Settings().detector_thresholds)
        return DetectorThresholds(*(old if new is None else new for old, new in zip(usual, self, strict=True)))


def changes(points: Iterable[JudgedPoint], typed: TypedThresholds) -> Iterator[tuple[Point, Verdict]]:
    """Yield each point where the state or the cause changes, with its verdict. New thresholds begin a new detector."""
    detectors: dict[DetectorThresholds | None, Detector] = {}
    last: Verdict | None = None
    for point, recorded in points:
        if recorded not in detectors:
            detectors = {recorded: Detector(typed.over(recorded))}
        detector = detectors[recorded]
        verdict = detector.observe(point)
        if last is None or (verdict.state, verdict.cause) != (last.state, last.cause):
            yield point, verdict
        last = verdict


def _thresholds(arguments: argparse.Namespace) -> TypedThresholds:
    """Return the thresholds. Raises :class:`SettingsError` for one that a service would refuse."""
    typed = {name: getattr(arguments, name) for name in OPTIONS}
    return TypedThresholds(
        *(None if text is None else definitions()[name].read(_option(name), text) for name, text in typed.items())
    )


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _judge_all(paths: list[Path], replay: Callable[[Path], JudgedFile]) -> Iterator[JudgedFile]:
    """Yield the result of each file, in order. Several files are read in parallel, one for each processor."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if min(processors, len(paths)) == 1:
        yield from map(replay, paths)
        return
    pool = ProcessPoolExecutor(min(processors, len(paths)), initializer=ignore_interrupts)
    try:
        yield from pool.map(replay, paths)
    finally:
        pool.shutdown(cancel_futures=True)


def _replay(path: Path, *, typed: TypedThresholds, line: LineFormat) -> JudgedFile:
    lines: list[str] = []
    times = array("d")
    window_seconds = typed.over(None).window_seconds
    try:
        for point, verdict in changes(_with_times_noted(times, read_judged_series(path)), typed):
            window_seconds = verdict.window_seconds
            lines.append(line(path, point, verdict, times[0]))
    except HeapExporterError as error:
        return JudgedFile(lines, str(error))
    return JudgedFile(lines, hint=_hint(path, times, window_seconds))


def _features(path: Path, *, typed: TypedThresholds) -> JudgedFile:
    """Return the features of a series as lines of CSV, without the header; an unknown value is an empty cell."""
    lines: list[str] = []
    try:
        judged = read_judged_series(path)
        first = next(judged, None)
        if first is not None:
            window_seconds = typed.over(first.thresholds).window_seconds
            for row in feature_rows((point for point, _ in chain((first,), judged)), window_seconds):
                cells = ("" if math.isnan(value) else f"{value:.6g}" for value in row.features)
                lines.append(",".join((str(path), f"{row.t_seconds:g}", *cells)))
    except HeapExporterError as error:
        return JudgedFile(lines, str(error))
    return JudgedFile(lines)


def _with_times_noted(times: array[float], points: Iterable[JudgedPoint]) -> Iterator[JudgedPoint]:
    """Yield the points, and append their times to ``times``."""
    for judged in points:
        times.append(judged.point.t_seconds)
        yield judged


def _hint(path: Path, times: Sequence[float], window_seconds: float) -> str:
    """Return a hint if there are no samples, or too few for the window; else ""."""
    if not times:
        return f"{path}: the series has a header but no samples"
    gaps = [after - before for before, after in pairwise(times) if after > before]
    interval = median(gaps) if gaps else 0.0
    least = MIN_SAMPLES_A_WINDOW * interval
    if window_seconds >= least:
        return ""
    return (
        f"{path}: the samples are {interval:g} s apart, so a detection window of {short_duration(window_seconds)} has "
        f"fewer than the {MIN_SAMPLES_A_WINDOW} samples that a verdict needs: leaks are found late or never; set "
        f"--window {short_duration(least)} or longer, or record more often"
    )


def _json_line(path: Path, point: Point, verdict: Verdict, _: float) -> str:
    members: dict[str, Any] = asdict(verdict)
    for name in ("judged_at", "growing_types", "finding"):  # the time is the point's, and no series has types
        del members[name]
    members["reasons"] = reason_text.sentences(verdict)
    leading = {name: members.pop(name) for name in ("state", "cause", "reasons")}
    for trend in members["trends"]:
        trend["slope_mb_per_hour"] = trend["slope_bytes_per_second"] * 3600 / 1e6
    return json.dumps({"file": str(path), "t_seconds": point.t_seconds, **leading, **members})


def _text_line(path: Path, point: Point, verdict: Verdict, begun: float) -> str:
    """Return a change as up to three lines: state and growth, where it is held, what to do."""
    since = (
        formatting.duration(point.t_seconds - begun) if point.t_seconds > begun else f"{point.t_seconds - begun:g} s"
    )
    state = f"{verdict.state} ({verdict.cause})" if verdict.cause else str(verdict.state)
    growth, *others = verdict_summary(verdict).lines
    is_unix_time = point.t_seconds >= MIN_UNIX_SECONDS
    at = formatting.moment(point.t_seconds) if is_unix_time else f"{point.t_seconds:.0f} s"
    first = f"{path}  {at} (+{since})  {state}: {growth}"
    return "\n".join([first, *(f"    {line}" for line in others)])


def _verbose_line(path: Path, point: Point, verdict: Verdict, begun: float) -> str:
    texts = (f"confidence {verdict.confidence:.0%}", *reason_text.sentences(verdict))
    return "\n".join([_text_line(path, point, verdict, begun), *(f"    - {text}" for text in texts)])


def _line_format(arguments: argparse.Namespace) -> LineFormat:
    if arguments.json:
        return _json_line
    return _verbose_line if arguments.verbose else _text_line
