"""promtool judges the alert rules: their syntax, their words, and when they fire on which shape of memory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from alerts.tests.expectations import SHAPES, Shape
from alerts.tests.table import ALERTS_FOLDER, RULES
from alerts.tests.unit_test_file import unexpected
from heap_exporter.alerting import Thresholds, render_rules


def say(promtool: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *words], capture_output=True, text=True, timeout=120, check=False)


def test_the_committed_rules_pass_every_lint(promtool: Path) -> None:
    checked = say(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("seconds", [5, 13.7, 15, 100, 10_800])
def test_rules_of_any_window_pass_every_lint(promtool: Path, tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(render_rules(Thresholds(window_seconds=seconds, hold_seconds=seconds)))

    checked = say(promtool, "check", "rules", "--lint=all", "--lint-fatal", path)

    assert checked.returncode == 0, checked.stderr


def test_alerts_say_what_they_should_in_their_minute_and_nothing_before(promtool: Path) -> None:
    tested = say(promtool, "test", "rules", ALERTS_FOLDER / "tests" / "messages.yaml")

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.fixture(scope="module")
def wrong(promtool: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What promtool finds wrong, by the sentence of the shape."""
    return unexpected(promtool, RULES, SHAPES, tmp_path_factory.mktemp("shapes"))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.sentence)
def test_alerts_fire_in_their_minute_and_in_none_before_on(shape: Shape, wrong: dict[str, str]) -> None:
    assert wrong.get(shape.sentence, "") == ""
