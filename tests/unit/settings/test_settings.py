"""Settings: one parser, and a clear message for every bad value."""

import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

from heap_exporter.errors import SettingsError
from heap_exporter.runtime.logs import warn_once
from heap_exporter.runtime.redaction import Secret
from heap_exporter.settings import Settings, definitions, variable
from heap_exporter.settings.keywords import SettingsKeywords


@pytest.fixture(autouse=True)
def _warnings_are_new() -> None:
    warn_once.cache_clear()


def test_every_setting_has_a_default() -> None:
    settings = Settings.load({})

    assert (settings.host, settings.port, settings.interval_seconds) == ("127.0.0.1", 9465, 15.0)
    assert settings.snapshot_dir.name.startswith("heap-exporter-")


def test_every_setting_can_be_set_by_variable_and_by_keyword() -> None:
    texts = {"bool": "false", "int": "50", "float": "70", "str": "http://collector:4318", "Path": "/x", "Secret": "s"}
    for name, definition in definitions().items():
        text = texts[definition.kind.__name__]
        own = {
            "autostart": "true", "host": "localhost", "window": "10m", "walker": "portable", "hub": "never",
            "snapshot_keys": "true", "snapshot_max_size": "2MiB", "alert_webhook_url": "https://hooks",
            "alert_webhook_format": "slack", "upload_url": "s3://bucket", "upload_remove_local": "true",
            "allocations": "always", "allocations_interval": "64KiB",
        }  # fmt: skip  # a table
        text = own.get(name, text)

        keyword: Any = {name: getattr(Settings.load({variable(name): text}), definition.attribute)}
        by_keyword = getattr(Settings.load({}, **keyword), definition.attribute)

        assert keyword[name] == by_keyword != definition.default


@pytest.mark.parametrize("window", ["20s", "7s", "100s"])
def test_the_interval_that_an_error_advises_is_short_enough(window: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({}, window=window)

    Settings.load({}, window=window, interval=str(caught.value).rpartition(" ")[2])


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (
            {"window": "1m"},
            (
                "window='1m': too short to detect growth with one sample every 15s; set window to at least 3m, "
                "or interval to at most 5s"
            ),
        ),
        (
            {"interval": "2m"},
            (
                "window='15m': too short to detect growth with one sample every 2m; set window to at least 24m, "
                "or interval to at most 1m15s"
            ),
        ),
        (
            {"window": "7d", "interval": "50ms"},
            (
                "interval='50ms': too short for a window of 7d; set interval to at least 6s48ms, "
                "or window to at most 1h23m20s"
            ),
        ),
    ],
)
def test_a_window_with_too_few_or_too_many_samples_is_refused(overrides: SettingsKeywords, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({}, **overrides)

    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("HEAP_EXPORTER_PORT", "http", "a whole number"),
        ("HEAP_EXPORTER_PORT", "70000", "between 0 and 65535"),
        ("HEAP_EXPORTER_PORT", "1.5", "a whole number"),
        ("HEAP_EXPORTER_WINDOW", "15 minuts", "a duration such as 15m, 90s or 1h30m"),
        ("HEAP_EXPORTER_INTERVAL", "0", "between 50ms and 1h"),
        ("HEAP_EXPORTER_INTERVAL", "nan", "a duration such as 15m, 90s or 1h30m"),
        ("HEAP_EXPORTER_MIN_SLOPE", "-1", "between 0B/h and 1024TiB/h"),
        ("HEAP_EXPORTER_WALKER", "fast", "auto, native or portable"),
        ("HEAP_EXPORTER_HTTP", "maybe", "true or false"),
        ("HEAP_MONITOR_INTERVAL_MS", "soon", "a number"),
        ("HEAP_MONITOR_INTERVAL_MS", "1", "between 50ms and 1h"),
        ("HEAP_MONITOR_ENABLED", "maybe", "true or false"),
    ],
)
def test_the_error_of_a_bad_value_has_its_name_and_the_value(key: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({key: value})

    assert str(caught.value) == f"{key} must be {words}, not {value!r}"


NODE_VARIABLES = {
    "HEAP_MONITOR_INTERVAL_MS": "5000",
    "HEAP_MONITOR_GROWTH_THRESHOLD": "15",
    "HEAP_MONITOR_MAX_SAMPLES": "100",
    "HEAP_DUMP_DIR": "/var/dumps",
    "METRICS_ENDPOINT": "http://collector:4318/v1/metrics",
    "ALERT_WEBHOOK_URL": "https://hooks.example/secret",
}
COMMON_NAMES = [name for name in NODE_VARIABLES if not name.startswith("HEAP_MONITOR_")]


def test_the_variables_of_the_node_monitor_are_aliases() -> None:
    settings = Settings.load({"HEAP_MONITOR_ENABLED": "yes", **NODE_VARIABLES})

    assert not Settings.load({"HEAP_MONITOR_ENABLED": "no"}).enabled
    assert settings.interval_seconds == 5
    assert settings.growth_threshold_percent == 15
    assert settings.max_samples == 100
    assert settings.snapshot_dir == Path("/var/dumps")
    assert settings.otlp_endpoint == "http://collector:4318/v1/metrics"
    assert settings.alert_webhook_url == "https://hooks.example/secret"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("enabled", [{}, {"HEAP_MONITOR_ENABLED": "0"}, {"HEAP_EXPORTER_ENABLED": "true"}])
def test_variables_that_many_applications_have_count_only_where_the_node_monitor_is_enabled(
    enabled: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    common = {name: NODE_VARIABLES[name] for name in COMMON_NAMES}

    assert Settings.load({**enabled, **common}) == Settings.load(enabled)
    assert Settings.load({**enabled, **dict.fromkeys(COMMON_NAMES, "no address")}) == Settings.load(enabled)
    assert caplog.messages == []


def test_every_alias_has_the_prefix_of_the_node_monitor_or_is_such_a_common_name() -> None:
    aliases = [alias for definition in definitions().values() for alias in definition.rule.aliases]

    assert sorted(aliases) == sorted(["HEAP_MONITOR_ENABLED", *NODE_VARIABLES])


def test_a_common_variable_whose_value_cannot_be_used_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"HEAP_MONITOR_ENABLED": "true", "METRICS_ENDPOINT": "statsd:8125", "ALERT_WEBHOOK_URL": "#ops S3CRET"}

    for _ in range(2):
        assert Settings.load(environ) == Settings.load({})

    assert caplog.messages == [
        (
            "heap-exporter ignores a variable: ALERT_WEBHOOK_URL='**********': not an http:// or https:// address. "
            "Set HEAP_EXPORTER_ALERT_WEBHOOK_URL instead"
        ),
        (
            "heap-exporter ignores a variable: METRICS_ENDPOINT='statsd:8125': not an http:// or https:// address. "
            "Set HEAP_EXPORTER_OTLP_ENDPOINT instead"
        ),
    ]


def test_a_common_variable_is_not_read_where_the_own_one_is_set(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"HEAP_MONITOR_ENABLED": "true", "METRICS_ENDPOINT": "statsd:8125"}

    settings = Settings.load({**environ, "HEAP_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})

    assert settings.otlp_endpoint == "http://collector:4318"
    assert caplog.messages == []


def test_the_threshold_of_the_node_monitor_sets_its_minimum_of_a_megabyte_a_minute() -> None:
    assert Settings.load({"HEAP_MONITOR_GROWTH_THRESHOLD": "10"}).min_slope_bytes_per_hour == 60e6
    both = {"HEAP_MONITOR_GROWTH_THRESHOLD": "10", "HEAP_EXPORTER_MIN_SLOPE": "5B/h"}
    assert Settings.load(both).min_slope_bytes_per_hour == 5
    assert Settings.load({}).min_slope_bytes_per_hour < 60e6


def test_the_own_variable_overrides_the_alias() -> None:
    both = {"HEAP_MONITOR_ENABLED": "1", "HEAP_DUMP_DIR": "/old", "HEAP_EXPORTER_SNAPSHOT_DIR": "/new"}

    assert Settings.load(both).snapshot_dir == Path("/new")


def test_an_unknown_variable_is_a_warning_with_the_nearest_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "heap_exporter"):
        Settings.load({"HEAP_EXPORTER_PROT": "1"})

    assert "HEAP_EXPORTER_PROT: there is no such setting; did you mean HEAP_EXPORTER_PORT?" in caplog.text


def test_an_unknown_keyword_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="did you mean port"):
        Settings.load({}, prot=1)  # type: ignore[call-arg]


def test_the_token_is_never_shown() -> None:
    settings = Settings.load({"HEAP_EXPORTER_TOKEN": "hunter2"})

    token = settings.token
    for shown in (repr(settings), str(token), f"{token}", f"{token:>12}", "%s" % token, "{}".format(token)):  # noqa: UP031, UP032
        assert "hunter2" not in shown
        assert "***" in shown


def test_the_token_can_be_used() -> None:
    token = Settings.load({"HEAP_EXPORTER_TOKEN": "hunter2"}).token

    assert token
    assert token == "hunter2"
    assert "Bearer " + token == "Bearer hunter2"
    assert token.encode() == b"hunter2"
    assert Settings.load({}, token=token).token == "hunter2"
    assert pickle.loads(pickle.dumps(token)) == copy.deepcopy(token) == "hunter2"


@pytest.mark.parametrize(
    "endpoint", ["ftp://user:PASS@c:4318", "user:PASS@c:4318", "htp://user:PA/PASS@c", "user:PA://PASS@c", "c?key=PASS"]
)
def test_an_endpoint_that_cannot_be_used_is_shown_without_its_password(endpoint: str) -> None:
    with pytest.raises(SettingsError, match=r"HEAP_EXPORTER_OTLP_ENDPOINT='.*c.*': not an http") as caught:
        Settings.load({"HEAP_EXPORTER_OTLP_ENDPOINT": endpoint})

    assert "PASS" not in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        Settings.load({}, otlp_endpoint=endpoint)

    assert "PASS" not in str(caught.value)


@pytest.mark.parametrize("key", ["HEAP_EXPORTER_ALERT_WEBHOOK_URL", "HEAP_EXPORTER_OTLP_ENDPOINT"])
@pytest.mark.parametrize(
    "address", ["http://[x", "http://h:notaport/x", "http://h:70000", "http://h:0", "http://:80/x", "https://a..b/x"]
)
def test_an_address_with_an_impossible_host_or_port_is_refused(key: str, address: str) -> None:
    with pytest.raises(SettingsError, match=rf"{key}=.*: its host or port is invalid; write it like https://host:8080"):
        Settings.load({key: address})


@pytest.mark.parametrize(
    "address", ["http://[::1]:80/x", "https://user:pass@h", "http://h_1:8080", "https://bücher.de"]
)
def test_unusual_addresses_are_accepted(address: str) -> None:
    assert Settings.load({"HEAP_EXPORTER_ALERT_WEBHOOK_URL": address}).alert_webhook_url == address


@pytest.mark.parametrize(
    "address", ["hooks.slack.com/services/T0/SECRET", "https://h x/SECRET", "https://h:SECRET/", "http://[SECRET"]
)
def test_the_address_of_a_webhook_is_not_shown_because_its_path_may_be_the_secret(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"HEAP_EXPORTER_ALERT_WEBHOOK_URL": address})

    assert str(caught.value).startswith("HEAP_EXPORTER_ALERT_WEBHOOK_URL='**********': ")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("name", ["otlp_endpoint", "upload_url", "alert_webhook_url"])
@pytest.mark.parametrize("endpoint", ["https://user:PASS@c.example:4318/v1", "https://c.example/x?key=PASS"])
def test_a_password_in_an_address_is_not_shown_with_the_settings(name: str, endpoint: str) -> None:
    settings = Settings.load({variable(name): endpoint})

    assert "PASS" not in repr(settings)
    assert "PASS" not in str(settings)
    assert "PASS" in "" + getattr(settings, name)


def test_the_settings_show_what_differs_from_the_defaults_as_it_is_written() -> None:
    settings = Settings.load({}, upload_url="s3://bucket/folder", host="::1", port=1, snapshot_dir="/x", window=1200)

    shown = repr(settings)

    assert shown == "Settings(host='::1', port=1, window='20m', snapshot_dir='/x', upload_url='s3://bucket/folder')"
    assert repr(Settings()) == "Settings()"


def test_the_value_of_an_unknown_keyword_is_not_shown_because_it_may_be_the_token() -> None:
    with pytest.raises(SettingsError, match=r"tokn=.*did you mean token") as caught:
        Settings.load({}, tokn="s3cret")  # type: ignore[call-arg]

    assert "s3cret" not in str(caught.value)


def test_a_token_of_the_wrong_type_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({}, token=12345)  # type: ignore[arg-type]

    assert "12345" not in str(caught.value)


def test_an_empty_variable_is_ignored() -> None:
    assert Settings.load({"HEAP_EXPORTER_PORT": ""}).port == 9465


def test_an_empty_secret_is_shown_as_empty() -> None:
    assert repr(Secret("")) == "Secret('')"
