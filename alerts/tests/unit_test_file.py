"""Shapes as a unit-test file of promtool, and what promtool says about it.

Shapes of the same length run side by side, each as a ``job`` that is called by its sentence: that is five times faster
than one by one. For each, one query asks in which minute each alert first fired. promtool compares the answer with the
expectation, which holds an alert to be silent in every minute before that one and to fire in it.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from alerts.tests.expectations import GROWING_TYPE, TYPE, Shape
from alerts.tests.shapes import Curve

PROCESS, NEIGHBOUR = "shop-1", "shop-2"

FIRST_FIRED = (
    "min by (alertname, instance, type_name)"
    ' (min_over_time(timestamp(ALERTS{{alertstate="firing", job="{job}"}})[{minutes}m:1m])) / 60'
)
"""PromQL for the first minute in which each alert fired, a sample for each."""

_ANSWER = re.compile(r'expr: ".*?job=\\"(?P<job>.*?)\\".*?\n(?:.*\n)?\s+got: (?P<got>.*)')
_SAMPLE = re.compile(r'alertname="(?P<alert>\w+)".*?\} (?P<minute>[0-9.E+]+)')


def write_tests(path: Path, rules: Path, shapes: Iterable[Shape], *, expected: bool = True) -> None:
    """Write the unit-test file (JSON is YAML). Without ``expected`` it expects nothing, so that promtool tells all."""
    by_length: dict[int, list[Shape]] = defaultdict(list)
    for shape in shapes:
        by_length[shape.minutes].append(shape)
    document = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [_test(minutes, group, expected) for minutes, group in by_length.items()],
    }
    path.write_text(json.dumps(document, indent=1))


def run(promtool: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Return what promtool says about a unit-test file; its exit code is 0 if all is as expected."""
    return subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, timeout=300, check=False)


def first_fired(promtool: Path, rules: Path, shapes: Iterable[Shape], scratch: Path) -> dict[str, dict[str, int]]:
    """Return for the sentence of each shape the first minute in which each alert fired, by a run of promtool."""
    shapes = tuple(shapes)
    write_tests(scratch, rules, shapes, expected=False)
    said = run(promtool, scratch)
    found: dict[str, dict[str, int]] = {shape.sentence: {} for shape in shapes}
    for answer in _ANSWER.finditer(said.stdout + said.stderr):
        minutes = _SAMPLE.findall(answer["got"])
        found[answer["job"]] = {alert: round(float(minute)) for alert, minute in minutes}
    return found


def _test(minutes: int, shapes: list[Shape], expected: bool) -> dict[str, object]:
    return {
        "name": f"{minutes} minutes",
        "interval": "1m",
        "input_series": [series for shape in shapes for series in _series(shape)],
        "promql_expr_test": [_question(shape, shape.fires if expected else {}) for shape in shapes],
    }


def _series(shape: Shape) -> list[dict[str, str]]:
    curves = shape.process.series(shape.sentence, PROCESS)
    if shape.neighbour:
        curves |= shape.neighbour.series(shape.sentence, NEIGHBOUR)
    return [{"series": selector, "values": _notation(curve, shape.minutes)} for selector, curve in curves.items()]


def _question(shape: Shape, fires: Mapping[str, int]) -> dict[str, object]:
    return {
        "expr": FIRST_FIRED.format(job=shape.sentence, minutes=shape.minutes),
        "eval_time": f"{shape.minutes}m",
        "exp_samples": [{"labels": _labels(alert), "value": minute} for alert, minute in fires.items()],
    }


def _labels(alert: str) -> str:
    type_name = f', type_name="{GROWING_TYPE}"' if alert == TYPE else ""
    return f'{{alertname="{alert}", instance="{PROCESS}"{type_name}}}'


def _notation(curve: Curve, minutes: int) -> str:
    """Return a curve's values as promtool reads them, runs of the same value shortened: ``5x3`` is 5 5 5 5."""
    parts = []
    for value, run_of_same in itertools.groupby(_value(curve(t)) for t in range(minutes + 1)):
        count = len(list(run_of_same))
        parts.append(f"_x{count}" if value == "_" else value if count == 1 else f"{value}x{count - 1}")
    return " ".join(parts)


def _value(value: float) -> str:
    return "_" if math.isnan(value) else "stale" if math.isinf(value) else f"{value:.0f}"
