"""Shapes as unit-test files of promtool, and what promtool says about them.

Shapes of the same length run side by side, which is several times faster than one by one, each as a ``job`` that is
called by its sentence. For each, one query asks in which minute each alert first fired; nothing is expected, so that
promtool tells the answer. All is done twice at the same time: without and with the verdicts of the process's detector.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from alerts.tests.expectations import Shape
from alerts.tests.judged import verdict_series
from alerts.tests.shapes import Curve

PROCESS, NEIGHBOUR = "shop-1", "shop-2"

FIRST_FIRED = (
    "min by (alertname, instance)"
    ' (min_over_time(timestamp(ALERTS{{alertstate="firing", job="{job}"}})[{minutes}m:1m])) / 60'
)
"""PromQL for the first minute in which each alert fired, a sample for each."""

_ANSWER = re.compile(r'expr: ".*?job=\\"(?P<job>.*?)\\"(?P<rest>.*?)(?=^ +expr: |\Z)', re.MULTILINE | re.DOTALL)
_SAMPLE = re.compile(r'\{alertname="(\w+)", instance="([\w-]+)"\} ([0-9.E+]+)')

Minutes = Mapping[str, int]
"""Alert → the first minute in which it fired; one on the neighbour has that behind its name."""


class Fired(NamedTuple):
    """What fired on each shape, by its sentence: by the rules alone, and with the process's own detector."""

    alone: Mapping[str, Minutes]
    judged: Mapping[str, Minutes]


def first_fired(promtool: Path, rules: Path, shapes: Sequence[Shape], scratch: Path) -> Fired:
    """Return what fires on the shapes, as promtool finds. Raises RuntimeError with promtool's words if it fails."""
    running = []
    for judged in (False, True):
        path = scratch / f"shapes-{judged}.yaml"
        path.write_text(json.dumps(_document(rules, shapes, judged=judged), indent=1))  # JSON is YAML
        command = [str(promtool), "test", "rules", str(path)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    return Fired(*(_read(process.communicate(timeout=600)[0], shapes) for process in running))


def _read(said: str, shapes: Sequence[Shape]) -> dict[str, Minutes]:
    answers = {match["job"]: match["rest"] for match in _ANSWER.finditer(said)}
    if "err:" in said or not (answers or "SUCCESS" in said):
        raise RuntimeError(f"promtool failed: {said.strip()}")
    return {shape.sentence: dict(_minutes(answers.get(shape.sentence, ""))) for shape in shapes}


def _minutes(answer: str) -> Iterator[tuple[str, int]]:
    for alert, instance, minute in _SAMPLE.findall(answer):
        yield alert if instance == PROCESS else f"{alert} on the neighbour", round(float(minute))


def _document(rules: Path, shapes: Sequence[Shape], *, judged: bool) -> dict[str, object]:
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
                "input_series": [series for shape in group for series in _series(shape, judged=judged)],
                "promql_expr_test": [_question(shape) for shape in group],
            }
            for minutes, group in by_length.items()
        ],
    }


def _series(shape: Shape, *, judged: bool) -> list[dict[str, str]]:
    curves: dict[str, Curve] = {}
    for process, instance in ((shape.process, PROCESS), (shape.neighbour, NEIGHBOUR)):
        if process:
            curves |= process.series(shape.sentence, instance)
        if process and judged:
            curves |= verdict_series(process, shape.sentence, instance, shape.minutes)
    return [{"series": name, "values": _notation(curve, shape.minutes)} for name, curve in curves.items()]


def _question(shape: Shape) -> dict[str, object]:
    expr = FIRST_FIRED.format(job=shape.sentence, minutes=shape.minutes)
    return {"expr": expr, "eval_time": f"{shape.minutes}m", "exp_samples": []}


def _notation(curve: Curve, minutes: int) -> str:
    """Return a curve's values as promtool reads them, runs of the same value shortened: ``5x3`` is 5 5 5 5."""
    parts = []
    for value, run_of_same in itertools.groupby(_value(curve(t)) for t in range(minutes + 1)):
        count = len(list(run_of_same))
        parts.append(f"_x{count}" if value == "_" else value if count == 1 else f"{value}x{count - 1}")
    return " ".join(parts)


def _value(value: float) -> str:
    return "_" if math.isnan(value) else "stale" if math.isinf(value) else f"{value:.0f}"
