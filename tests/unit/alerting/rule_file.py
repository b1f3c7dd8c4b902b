"""The committed rule file, parsed by PyYAML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ALERTS_FOLDER = Path(__file__).parents[3] / "alerts"
RULES_PATH, RUNBOOK_PATH = ALERTS_FOLDER / "heap_exporter.rules.yml", ALERTS_FOLDER.parent / "docs" / "runbook.md"

GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES_PATH.read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDINGS = {rule["record"]: rule for rule in RULES if "record" in rule}

_METRIC = re.compile(r"(?<![:\w])(?:python_heap|heap_exporter)_\w+(?![\w:])")
_RECORDED = re.compile(r"\w+(?::\w+)+")


def metrics(expression: str) -> set[str]:
    """Return the metrics of heap-exporter that an expression uses, without recorded series."""
    return set(_METRIC.findall(expression))


def recorded(expression: str) -> set[str]:
    """Return the recorded series that an expression uses."""
    return set(_RECORDED.findall(expression))
