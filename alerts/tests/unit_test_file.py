"""The shapes as unit-test files of promtool, and its results.

All shapes are in one test, which is several times faster than a test for each; each is a ``job`` that is named by its
sentence. For each, one query returns the minute in which each alert first fired; the file expects no samples, so that
promtool prints those that it got. There are two files, without and with the verdicts of the detector; promtool runs on
both at the same time.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from alerts.tests.detector_verdicts import service_series, verdict_series
from alerts.tests.expectations import Shape
from alerts.tests.shapes import Curve, Process

PROCESS, SECOND_PROCESS = "0", "1"

FIRST_FIRED = (
    "min by (alertname, worker)"
    ' (min_over_time(timestamp(ALERTS{{alertstate="firing", job="{job}"}})[{minutes}m:1m])) / 60'
)
"""PromQL for the first minute in which each alert fired, one sample per alert."""

_ANSWER = re.compile(r'expr: ".*?job=\\"(?P<job>.*?)\\"(?P<rest>.*?)(?=^ +expr: |\Z)', re.MULTILINE | re.DOTALL)
_SAMPLE = re.compile(r'\{alertname="(\w+)"(?:, worker="(\d+)")?\} ([0-9.E+]+)')

Minutes = Mapping[str, int]
"""Alert → the first minute in which it fired; an alert on the second process has a suffix."""


class Fired(NamedTuple):
    """The alerts that fired on each shape, by its sentence: by the rules alone, and with the detector."""

    rules_alone: Mapping[str, Minutes]
    with_detector: Mapping[str, Minutes]


class UnitTestFiles(NamedTuple):
    """The shapes as two unit-test files, for the rules alone and with the detector."""

    shapes: Sequence[Shape]
    rules_alone: Path
    with_detector: Path


def write_unit_test_files(rules: Path, shapes: Sequence[Shape], folder: Path) -> UnitTestFiles:
    """Write the two files into ``folder``."""
    files = UnitTestFiles(shapes, folder / "rules-alone.yaml", folder / "with-detector.yaml")
    for path, with_detector in ((files.rules_alone, False), (files.with_detector, True)):
        path.write_text(json.dumps(_document(rules, shapes, with_detector=with_detector), indent=1))  # JSON is YAML
    return files


def first_fired(promtool: Path, files: UnitTestFiles) -> Fired:
    """Return the alerts that fire on the shapes by promtool. Raises RuntimeError with its output if it fails."""
    running = [
        subprocess.Popen(
            [promtool, "test", "rules", path],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=promtool_environ(),
        )
        for path in (files.rules_alone, files.with_detector)
    ]
    return Fired(*(_read(process.communicate(timeout=600)[0], files.shapes) for process in running))


def promtool_environ() -> dict[str, str]:
    """Return the environment in which promtool is fastest: collecting garbage rarely saves a quarter of its time."""
    return {**os.environ, "GOGC": "400"}


def _read(output: str, shapes: Sequence[Shape]) -> dict[str, Minutes]:
    answers = {match["job"]: match["rest"] for match in _ANSWER.finditer(output)}
    if "err:" in output or not (answers or "SUCCESS" in output):
        raise RuntimeError(f"promtool failed: {output.strip()}")
    return {shape.sentence: dict(_minutes(answers.get(shape.sentence, ""))) for shape in shapes}


def _minutes(answer: str) -> Iterator[tuple[str, int]]:
    for alert, worker, minute in _SAMPLE.findall(answer):
        yield alert if worker != SECOND_PROCESS else f"{alert} on the second process", round(float(minute))


def _document(rules: Path, shapes: Sequence[Shape], *, with_detector: bool) -> dict[str, object]:
    series = [series for shape in shapes for series in _series(shape, with_detector=with_detector)]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [_query(shape) for shape in shapes]}
    return {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test]}


def _series(shape: Shape, *, with_detector: bool) -> list[dict[str, str]]:
    curves: dict[str, Curve] = {}
    for process, worker in ((shape.process, PROCESS), (shape.second, SECOND_PROCESS)):
        if process:
            curves |= process.series(shape.sentence, worker)
        if process and with_detector:
            curves |= verdict_series(process, shape.sentence, worker, shape.minutes)
    if with_detector:
        curves |= service_series(shape.process, 1, shape.sentence, shape.minutes)
    return [{"series": name, "values": _notation(curve, shape.minutes)} for name, curve in curves.items()]


def service_test(rules: Path, process: Process, workers: int, minute_of_alert: int, alert: str) -> dict[str, object]:
    """Return a unit-test file in which a service of some workers like ``process`` raises one alert in a minute."""
    job = f"{workers} workers"
    curves = service_series(process, workers, job, minute_of_alert)
    for worker in map(str, range(workers)):
        curves |= process.series(job, worker)
    firing = {"expr": f'count(ALERTS{{alertstate="firing", alertname="{alert}"}})'}
    tests = [
        firing | {"eval_time": f"{minute_of_alert - 1}m", "exp_samples": []},
        firing | {"eval_time": f"{minute_of_alert}m", "exp_samples": [{"labels": "{}", "value": 1}]},
    ]
    series = [{"series": name, "values": _notation(curve, minute_of_alert)} for name, curve in curves.items()]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": tests}
    return {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test]}


def _query(shape: Shape) -> dict[str, object]:
    expr = FIRST_FIRED.format(job=shape.sentence, minutes=shape.minutes)
    return {"expr": expr, "eval_time": f"{shape.minutes}m", "exp_samples": []}


def _notation(curve: Curve, minutes: int) -> str:
    """Return the values of a curve in the notation of promtool, with repeated values shortened: ``5x3`` is 5 5 5 5."""
    parts = []
    for value, run_of_same in itertools.groupby(_value(curve(t)) for t in range(minutes + 1)):
        count = len(list(run_of_same))
        parts.append(f"_x{count}" if value == "_" else value if count == 1 else f"{value}x{count - 1}")
    return " ".join(parts)


def _value(value: float) -> str:
    return "_" if math.isnan(value) else "stale" if math.isinf(value) else f"{value:.0f}"
