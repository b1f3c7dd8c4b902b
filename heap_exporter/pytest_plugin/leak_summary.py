"""The leaks of a test session: known ones in a file, all of them in the summaries of pytest and of GitHub Actions.

Each leak is a property of its test's report. So it is in the JUnit file, and comes from the workers of pytest-xdist.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from heap_exporter.runtime.json_input import parse_json

PROPERTY = "heap_leak"
KNOWN: pytest.StashKey[Container[str]] = pytest.StashKey()
"""Where the configuration of pytest keeps the fingerprints of known leaks."""

GITHUB_SUMMARY = "GITHUB_STEP_SUMMARY"
"""GitHub Actions shows the Markdown that a step appends to the file that this variable names."""


@dataclass(frozen=True, slots=True)
class ReportedLeak:
    """One leak of a test: the fields of a property. ``text`` is what a repetition leaves behind."""

    fingerprint: str
    type_name: str
    holder: str
    text: str
    is_known: bool

    @property
    def state(self) -> str:
        """Whether the leak fails its test."""
        return "known" if self.is_known else "new"


class LeakSummary:
    """Collects the leaks of all tests from their reports. ``baseline`` is the file of known leaks to update."""

    def __init__(self, baseline: Path | None) -> None:
        self._baseline = baseline
        self._leaks_by_test: dict[str, list[ReportedLeak]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the leaks of a test."""
        if report.when == "call":
            values = [parse_json(str(value).encode()) for name, value in report.user_properties if name == PROPERTY]
            self._leaks_by_test[report.nodeid] = [ReportedLeak(**value) for value in values]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print a line for each leak."""
        if any(self._leaks_by_test.values()):
            terminalreporter.section("heap leaks")
            for test, leak in self._leaks():
                terminalreporter.line(f"{leak.state:5}  {leak.fingerprint}  {test}: {leak.text} in {leak.holder}")

    def pytest_sessionfinish(self) -> None:
        """Update the file of known leaks, and append to the summary of GitHub Actions."""
        if self._baseline is not None:
            self._update(self._baseline)
        summary = os.environ.get(GITHUB_SUMMARY)
        if summary and any(self._leaks_by_test.values()):
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(markdown(list(self._leaks())))

    def _leaks(self) -> Iterator[tuple[str, ReportedLeak]]:
        for test, leaks in self._leaks_by_test.items():
            yield from ((test, leak) for leak in leaks)

    def _update(self, baseline: Path) -> None:
        from heap_exporter.leak_check.known_leaks import KnownLeak, read_known_leaks, write_known_leaks

        known = read_known_leaks(baseline) if baseline.exists() else frozenset()
        others = [leak for leak in known if leak.test not in self._leaks_by_test]
        found = [KnownLeak(test, leak.fingerprint, leak.type_name, leak.holder) for test, leak in self._leaks()]
        write_known_leaks(baseline, {*others, *found})


def markdown(leaks: Sequence[tuple[str, ReportedLeak]]) -> str:
    """Return a Markdown table of the leaks of tests."""
    rows = [
        f"| {leak.state} | {_code(test)} | {leak.text} | {_code(leak.holder)} | {_code(leak.fingerprint)} |"
        for test, leak in leaks
    ]
    head = ["| | test | a repetition leaves behind | held by | fingerprint |", "|---|---|---|---|---|"]
    return "\n".join(["### Heap leaks", "", *head, *rows, ""])


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|').replace('`', chr(39))}`"
