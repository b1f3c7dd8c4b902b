"""The names that settings and options had with their units. Delete this file together with `old_names.py`."""

import logging

import pytest

from heap_exporter.runtime.logs import warn_once
from heap_exporter.settings import Settings, definitions, variable
from heap_exporter.settings.old_names import OLD_SETTINGS, with_new_options


@pytest.fixture(autouse=True)
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    warn_once.cache_clear()
    caplog.set_level(logging.WARNING, "heap_exporter")
    return caplog


@pytest.mark.parametrize(("old", "new"), OLD_SETTINGS.items())
def test_an_old_name_works_with_one_warning_that_has_the_new_one(
    old: str, new: str, warnings: pytest.LogCaptureFixture
) -> None:
    definition = definitions()[new]
    text = {"snapshot_max_size": "2000000", "window": "2000"}.get(new, "50")

    for _ in range(2):
        by_variable = Settings.load({variable(old): text})
        by_keyword = Settings.load({}, **{old: float(text)})  # type: ignore[arg-type]

    assert getattr(by_variable, definition.attribute) == getattr(by_keyword, definition.attribute) == float(text)
    assert warnings.messages == [
        f"heap-exporter has a new name for {spelled(old)}: {spelled(new)}. The old name works in this release only"
        for spelled in (variable, str)
    ]


def test_the_new_name_wins_over_the_old_one(warnings: pytest.LogCaptureFixture) -> None:
    environ = {"HEAP_EXPORTER_WINDOW": "20m", "HEAP_EXPORTER_WINDOW_SECONDS": "2000"}

    assert Settings.load(environ).window_seconds == 1200
    assert Settings.load({}, window="20m", window_seconds=2000).window_seconds == 1200  # type: ignore[call-arg]
    assert warnings.messages == [
        f"heap-exporter ignores {old}, the old name of {new}, because both are set"
        for old, new in (("HEAP_EXPORTER_WINDOW_SECONDS", "HEAP_EXPORTER_WINDOW"), ("window_seconds", "window"))
    ]


def test_a_keyword_with_an_old_name_wins_over_a_variable() -> None:
    environ = {"HEAP_EXPORTER_WINDOW": "20m"}

    assert Settings.load(environ, window_seconds=2000).window_seconds == 2000  # type: ignore[call-arg]


def test_an_empty_variable_does_not_count_as_set(warnings: pytest.LogCaptureFixture) -> None:
    environ = {"HEAP_EXPORTER_WINDOW": "", "HEAP_EXPORTER_WINDOW_SECONDS": "2000", "HEAP_EXPORTER_FREE_DISK_BYTES": ""}

    assert Settings.load(environ).window_seconds == 2000
    assert len(warnings.messages) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["replay", "--growth-percent", "5", "a.csv"], ["replay", "--growth-threshold", "5", "a.csv"]),
        (["rules", "--sample-interval=5s"], ["rules", "--interval=5s"]),
        (["rules", "--sample-interval", "5s", "--interval", "1s"], ["rules", "--interval", "1s"]),
        (["rules", "--interval=1s", "--sample-interval=5s"], ["rules", "--interval=1s"]),
    ],
)
def test_an_old_option_works_unless_the_new_one_is_given_too(
    words: list[str], expected: list[str], warnings: pytest.LogCaptureFixture
) -> None:
    assert with_new_options(words) == expected
    assert len(warnings.messages) == 1


def test_a_command_line_without_old_options_is_unchanged(warnings: pytest.LogCaptureFixture) -> None:
    words = ["rules", "--window=15m", "-o", "out.yml"]

    assert with_new_options(words) == words
    assert warnings.messages == []
