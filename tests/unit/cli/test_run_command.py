"""`heap-exporter run` refuses what it cannot run in one sentence."""

from __future__ import annotations

import pytest

from heap_exporter.cli import main


@pytest.mark.parametrize("arguments", [["run"], ["run", "--"]])
def test_a_program_must_be_given(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "no program is given" in capsys.readouterr().err


def test_a_wrong_setting_is_refused_before_the_program_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEAP_EXPORTER_PORT", "many")

    assert main(["run", "--", "true"]) == 2
    assert "HEAP_EXPORTER_PORT must be a whole number" in capsys.readouterr().err
