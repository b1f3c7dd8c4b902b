"""Settings: one parser, clear words for every bad value."""

import logging
from pathlib import Path

import pytest

from heap_exporter.errors import SettingsError
from heap_exporter.settings import Secret, Settings, rules, variable


def test_without_any_environment_everything_has_a_default() -> None:
    settings = Settings.load({})

    assert (settings.host, settings.port, settings.interval_seconds) == ("127.0.0.1", 9465, 15.0)
    assert settings.snapshot_dir.name.startswith("heap-exporter-")


def test_every_setting_can_be_set_by_its_variable_and_by_its_keyword() -> None:
    texts = {"bool": "false", "int": "50", "float": "70", "str": "http://collector:4318", "Path": "/x", "Secret": "s"}
    for name, (_, default) in rules().items():
        text = texts[type(default).__name__ if name != "snapshot_dir" else "Path"]
        text = {"host": "localhost", "window_seconds": "600"}.get(name, text)

        by_variable = getattr(Settings.load({variable(name): text}), name)
        by_keyword = getattr(Settings.load({}, **{name: by_variable}), name)

        assert by_variable == by_keyword != default


def test_a_window_with_too_few_samples_to_judge_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"window_seconds=60\.0: too short to judge; must be 180 at least"):
        Settings.load({}, window_seconds=60)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("HEAP_EXPORTER_PORT", "http", "not a whole number"),
        ("HEAP_EXPORTER_PORT", "70000", "must be from 0 to 65535"),
        ("HEAP_EXPORTER_PORT", "1.5", "not a whole number"),
        ("HEAP_EXPORTER_INTERVAL_SECONDS", "soon", "not a number"),
        ("HEAP_EXPORTER_INTERVAL_SECONDS", "0", "must be from 0.05 to 3600"),
        ("HEAP_EXPORTER_INTERVAL_SECONDS", "nan", "must be from 0.05 to 3600"),
        ("HEAP_EXPORTER_HTTP", "maybe", "not a yes or no; use true or false"),
        ("HEAP_MONITOR_INTERVAL_MS", "soon", "not a number"),
        ("HEAP_MONITOR_INTERVAL_MS", "1", "must be from 50 to 3.6e+06"),
        ("METRICS_ENDPOINT", "collector:4318", "not an http:// or https:// address"),
    ],
)
def test_a_bad_value_is_an_error_that_names_key_and_value(key: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({key: value})

    assert key in str(caught.value)
    assert value in str(caught.value)
    assert words in str(caught.value)


def test_the_names_of_the_node_monitor_are_understood() -> None:
    settings = Settings.load(
        {
            "HEAP_MONITOR_ENABLED": "no",
            "HEAP_MONITOR_INTERVAL_MS": "5000",
            "HEAP_MONITOR_GROWTH_THRESHOLD": "15",
            "HEAP_MONITOR_MAX_SAMPLES": "100",
            "HEAP_DUMP_DIR": "/var/dumps",
            "METRICS_ENDPOINT": "http://collector:4318/v1/metrics",
        }
    )

    assert not settings.enabled
    assert settings.interval_seconds == 5
    assert settings.growth_threshold_percent == 15
    assert settings.max_samples == 100
    assert settings.snapshot_dir == Path("/var/dumps")
    assert settings.otlp_endpoint == "http://collector:4318/v1/metrics"


def test_our_own_name_wins_over_the_older_one() -> None:
    assert Settings.load({"HEAP_DUMP_DIR": "/old", "HEAP_EXPORTER_SNAPSHOT_DIR": "/new"}).snapshot_dir == Path("/new")


def test_an_unknown_variable_is_a_warning_with_the_nearest_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "heap_exporter"):
        Settings.load({"HEAP_EXPORTER_PROT": "1"})

    assert "HEAP_EXPORTER_PROT is no setting of heap-exporter; did you mean HEAP_EXPORTER_PORT?" in caplog.text


def test_an_unknown_keyword_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="did you mean port"):
        Settings.load({}, prot=1)


def test_the_token_never_shows_itself() -> None:
    settings = Settings.load({"HEAP_EXPORTER_TOKEN": "hunter2"})

    assert "hunter2" not in repr(settings)
    assert settings.token == "hunter2"


def test_a_token_of_the_wrong_kind_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({}, token=12345)

    assert "12345" not in str(caught.value)


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert Settings.load({"HEAP_EXPORTER_PORT": ""}).port == 9465


def test_an_empty_secret_says_that_it_is_empty() -> None:
    assert repr(Secret("")) == "Secret('')"
