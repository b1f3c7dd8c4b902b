"""Keeps the snapshots and the HTML report of a test that leaks."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from heap_exporter import analysis
from heap_exporter.analysis.repeated_growth import FoundLeak
from heap_exporter.leak_check.leak_check import LeakCheck
from heap_exporter.report import html


def keep_artifacts(item: pytest.Item, check: LeakCheck, leaks: Sequence[FoundLeak]) -> str:
    """Copy the two snapshots of a test into a folder, write the report there, and return a sentence that names it."""
    folder = _folder(item)
    assert check.before is not None
    assert check.after is not None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = Path(shutil.copyfile(check.before, folder / "before.heap"))
        after = Path(shutil.copyfile(check.after, folder / "after.heap"))
        diff = analysis.compare(analysis.open(before), analysis.open(after))
        report = html.render(replace(diff, suspects=tuple(found.suspect for found in leaks)))
        (folder / "report.html").write_text(report, encoding="utf-8", errors="replace")
    except OSError as error:
        return f"The snapshots could not be kept in {folder}: {error.strerror}"
    return f"Snapshots and report: {folder}"


def _folder(item: pytest.Item) -> Path:
    """Return the folder for the artifacts of a test, named after its node id."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", item.nodeid).strip("-.")[-120:]
    return Path(item.config.invocation_params.dir, item.config.getoption("--heap-artifacts"), name)
