"""The leaks in the reports of tests are in the file of known leaks and in the summary of GitHub Actions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from heap_exporter.leak_check.known_leaks import KnownLeak, read_known_leaks, write_known_leaks
from heap_exporter.pytest_plugin.leak_summary import PROPERTY, LeakSummary, ReportedLeak

LEAK = ReportedLeak("5c96ef4e8f4f", "shop.Session", "shop.BY|KEY", "1 Session object (130 B)", is_known=False)


def report(test: str, *leaks: ReportedLeak) -> pytest.TestReport:
    properties = [(PROPERTY, json.dumps(asdict(leak))) for leak in leaks]
    return pytest.TestReport(test, ("", 0, ""), {}, "passed", None, "call", user_properties=properties)


def test_the_known_leaks_of_the_tests_that_ran_are_replaced_and_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    other, old = (KnownLeak(test, "812b18c95aed", "shop.Order", "shop.ORDERS") for test in ("test_b", "test_a"))
    write_known_leaks(path, [other, old])
    summary = LeakSummary(path)

    summary.pytest_runtest_logreport(report("test_a", LEAK))
    summary.pytest_sessionfinish()

    assert read_known_leaks(path) == {other, KnownLeak("test_a", LEAK.fingerprint, LEAK.type_name, LEAK.holder)}


def test_github_shows_a_table_of_the_leaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    summary = LeakSummary(None)

    summary.pytest_runtest_logreport(report("test_a", LEAK))
    summary.pytest_runtest_logreport(report("test_b"))
    summary.pytest_sessionfinish()

    assert (tmp_path / "summary.md").read_text().splitlines()[-1] == (
        "| new | `test_a` | 1 Session object (130 B) | `shop.BY\\|KEY` | `5c96ef4e8f4f` |"
    )


def test_a_session_without_leaks_writes_no_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    summary = LeakSummary(None)

    summary.pytest_runtest_logreport(report("test_b"))
    summary.pytest_sessionfinish()

    assert not (tmp_path / "summary.md").exists()
