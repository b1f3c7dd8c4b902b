"""A wrong command line is one line that states what to do."""

from __future__ import annotations

import pytest

from heap_exporter.cli import main
from heap_exporter.cli.commands import COMMANDS


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the line that a wrong command line prints."""
    with pytest.raises(SystemExit) as exit_:
        main(words)
    out, err = capsys.readouterr()
    assert (exit_.value.code, out) == (2, "")
    assert err.startswith("heap-exporter: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("lsit", "there is no command 'lsit'; did you mean `heap-exporter lost` or `heap-exporter list`?"),
        ("nonsense", "there is no command 'nonsense'; `heap-exporter --help` lists the commands"),
        ("--nonsense", "unrecognized arguments: --nonsense; `heap-exporter --help` explains the arguments"),
        ("list --nonsense", "unrecognized arguments: --nonsense; `heap-exporter list --help` explains the arguments"),
        ("top", "the following arguments are required: FILE; `heap-exporter top --help` explains the arguments"),
        ("top a.heap --limit x", "argument --limit: it must be a whole number; use 0 for all; `heap-exporter top --he"),
        ("demo --port 65536", "argument --port: it must be a number from 0 (any free port) to 65535; "),
        ("demo --port x", "argument --port: it must be a number from 0 (any free port) to 65535; "),
        ("demo --visitors 0", "argument --visitors: it must be a number above 0, at most 100000; "),
        ("demo --visitors nan", "argument --visitors: it must be a number above 0, at most 100000; "),
    ],
)
def test_a_usage_error_is_one_line_with_what_to_do(line: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert hint in refused(line.split(), capsys)


def test_a_control_character_in_an_argument_does_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b" not in refused(["list", "--\x1b[31m"], capsys)


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([])

    assert exit_.value.code in (0, None)
    assert capsys.readouterr().out.startswith("usage: heap-exporter ")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_fits_80_columns_and_has_an_example(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as exit_:
        main([*filter(None, [command]), "--help"])

    lines = capsys.readouterr().out.splitlines()
    assert exit_.value.code == 0
    assert [line for line in lines if len(line) > 80 or "%%" in line] == []
    assert any(line.startswith(("  heap-exporter ", "    heap-exporter ")) for line in lines)
