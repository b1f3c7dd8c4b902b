"""Shapes as unit-test files of promtool, and what promtool says about them.

Shapes of the same length run side by side, which is several times faster than one by one, each as a ``job`` that is
called by its sentence. For each, one query asks in which minute each alert first fired. promtool compares the answer
with the expectation, which holds an alert to be silent in every minute before that one and to fire in it.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from alerts.tests.expectations import GROWING_TYPE, TYPE, Shape
from alerts.tests.shapes import Curve

PROCESS, NEIGHBOUR = "shop-1", "shop-2"
PROMTOOLS_AT_ONCE = 2

FIRST_FIRED = (
    "min by (alertname, instance, type_name)"
    ' (min_over_time(timestamp(ALERTS{{alertstate="firing", job="{job}"}})[{minutes}m:1m])) / 60'
)
"""PromQL for the first minute in which each alert fired, a sample for each."""

_WRONG = re.compile(r'expr: ".*?job=\\"(?P<job>.*?)\\"(?P<rest>.*?)(?=^ +expr: |\Z)', re.MULTILINE | re.DOTALL)
_SAMPLE = re.compile(r'alertname="(\w+)".*?\} ([0-9.E+]+)')


def unexpected(promtool: Path, rules: Path, shapes: Sequence[Shape], scratch: Path) -> dict[str, str]:
    """Return the sentences of the shapes that promtool finds the alerts wrong on, each with what promtool says."""
    parts = [shapes[first::PROMTOOLS_AT_ONCE] for first in range(PROMTOOLS_AT_ONCE)]
    running = []
    for number, part in enumerate(filter(None, parts)):
        path = scratch / f"shapes-{number}.yaml"
        path.write_text(json.dumps(_document(rules, part), indent=1))  # JSON is YAML
        command = [str(promtool), "test", "rules", str(path)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    wrong: dict[str, str] = {}
    for process in running:
        said, _ = process.communicate(timeout=600)
        found = {match["job"]: match["rest"] for match in _WRONG.finditer(said)}
        if process.returncode and not found:
            raise RuntimeError(f"promtool failed: {said.strip()}")
        wrong |= found
    return wrong


def first_fired(promtool: Path, rules: Path, shapes: Sequence[Shape], scratch: Path) -> dict[str, dict[str, int]]:
    """Return for the sentence of each shape the first minute in which each alert fired, whatever is expected."""
    wrong = unexpected(promtool, rules, [replace(shape, fires={}) for shape in shapes], scratch)
    for sentence, said in wrong.items():
        if "err:" in said:
            raise RuntimeError(f"promtool could not answer for {sentence!r}: {said.strip()}")
    return {
        shape.sentence: {
            alert: round(float(minute)) for alert, minute in _SAMPLE.findall(wrong.get(shape.sentence, ""))
        }
        for shape in shapes
    }


def _document(rules: Path, shapes: Sequence[Shape]) -> dict[str, object]:
    by_length: dict[int, list[Shape]] = defaultdict(list)
    for shape in shapes:
        by_length[shape.minutes].append(shape)
    return {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "name": f"shapes of {minutes} minutes",
                "interval": "1m",
                "input_series": [series for shape in group for series in _series(shape)],
                "promql_expr_test": [_question(shape) for shape in group],
            }
            for minutes, group in by_length.items()
        ],
    }


def _series(shape: Shape) -> list[dict[str, str]]:
    curves = shape.process.series(shape.sentence, PROCESS)
    if shape.neighbour:
        curves |= shape.neighbour.series(shape.sentence, NEIGHBOUR)
    return [{"series": selector, "values": _notation(curve, shape.minutes)} for selector, curve in curves.items()]


def _question(shape: Shape) -> dict[str, object]:
    return {
        "expr": FIRST_FIRED.format(job=shape.sentence, minutes=shape.minutes),
        "eval_time": f"{shape.minutes}m",
        "exp_samples": [{"labels": _labels(alert), "value": minute} for alert, minute in shape.fires.items()],
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
