"""The options of `heap-exporter rules`, and its output."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from heap_exporter.alerting import AlertThresholds, render_rules
from heap_exporter.alerting.quantities import parse_bytes_per_hour, parse_duration, promql_duration
from heap_exporter.cli import rules_command
from heap_exporter.errors import HeapExporterError, SettingsError

MIB = 1 << 20


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    rules_command.add_arguments(parser)
    return rules_command.run(parser.parse_args(arguments))


def test_without_options_it_prints_the_default_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0

    assert capsys.readouterr().out == render_rules()


def test_the_rules_have_the_given_thresholds_and_the_command_in_their_header(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("--window", "30m", "--min-slope", "60MiB/h", "--for", "90s", "--min-growth", "2%/h", "--min-type-growth", "7/h")

    out = capsys.readouterr().out
    assert f", {60 * MIB})" in out
    assert "clamp_min(0.02 * " in out
    assert "for: 1m30s" in out
    assert ":steady_deriv30m" in out
    assert ", 7)" in out
    assert "# Made by `heap-exporter rules --window 30m --for 90s --min-slope 60MiB/h" in out


def test_with_an_output_file_it_writes_the_file_and_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-o", str(tmp_path / "mine.yml")) == 0

    assert (tmp_path / "mine.yml").read_text() == render_rules()
    assert capsys.readouterr().out == ""


def test_an_error_names_the_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(HeapExporterError) as caught:
        run("-o", str(tmp_path / "no" / "folder.yml"))

    assert str(caught.value) == f"cannot write {tmp_path}/no/folder.yml: No such file or directory"


@pytest.mark.parametrize(
    ("flag", "value", "hint"),
    [
        ("--window", "15parsecs", "not a duration; write it like 15m, 90s or 1h30m"),
        ("--window", "", "not a duration"),
        ("--window", "15", "not a duration"),
        ("--window", "4h", "must be from 5s to 3h"),
        ("--for", "0s", "must be from 1s to 1d"),
        ("--min-slope", "4MiB", "not a slope; write it like 4MiB/h"),
        ("--min-slope", "4apples/h", "not a slope; write it like 4MiB/h"),
        ("--min-retained", "128", "not a size"),
        ("--min-slope", "4MiB/fortnight", "not a slope"),
        ("--min-slope", "nan", "not a slope"),
        ("--min-slow-slope", "0MiB/h", "must be from 1B/h"),
        ("--min-growth", "3", "not a percentage per time; write it like 1%/h"),
        ("--min-growth", "3MiB/h", "not a percentage per time"),
        ("--min-type-growth", "5MiB/h", "not a number of objects"),
        ("--min-retained", "many", "not a size"),
        ("--sample-interval", "1ms", "must be from 50ms to 1h"),
    ],
)
def test_the_error_of_a_bad_value_names_the_option_and_the_value(flag: str, value: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        run(f"{flag}={value}")

    assert str(caught.value).startswith(f"{flag}={value!r}: ")
    assert hint in str(caught.value)


def test_the_error_of_a_window_with_too_few_samples_names_the_options_to_change() -> None:
    with pytest.raises(SettingsError) as caught:
        run("--window", "1m")

    assert str(caught.value) == (
        "--window='1m': too short for a sample every 15s; set --window to 3m at least, or "
        "HEAP_EXPORTER_INTERVAL_SECONDS of your services and --sample-interval to 5s at most"
    )
    assert run("--window", "1m", "--sample-interval", "5s") == 0


def test_a_bad_threshold_in_python_is_an_error() -> None:
    with pytest.raises(SettingsError, match="--window=1: must be from 5s to 3h"):
        AlertThresholds(window_seconds=1)


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("500ms", 0.5), (" 2 h ", 7200)]
)
def test_durations_are_parsed_in_every_notation(text: str, seconds: float) -> None:
    assert parse_duration("--window", text) == seconds


@pytest.mark.parametrize(
    ("text", "bytes_per_hour"),
    [("4MiB/h", 4 * MIB), ("1KiB/s", 3600 * 1024), ("1 MiB / m", 60 * MIB), ("24MB/d", 1e6), ("7B/h", 7)],
)
def test_slopes_are_parsed_in_every_unit(text: str, bytes_per_hour: float) -> None:
    assert parse_bytes_per_hour("--min-slope", text) == bytes_per_hour


@pytest.mark.parametrize(
    ("seconds", "text"), [(900, "15m"), (4500, "1h15m"), (86400, "1d"), (1.25, "1s250ms"), (5 / 3, "1s667ms")]
)
def test_durations_are_written_in_the_syntax_of_prometheus(seconds: float, text: str) -> None:
    assert promql_duration(seconds) == text
