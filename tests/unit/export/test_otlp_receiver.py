from __future__ import annotations

from pathlib import Path

import pytest

from heap_exporter.errors import SettingsError
from heap_exporter.export.otlp_receiver import OtlpProtocol, OtlpReceiver, find_receiver

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def found(setting: str = "", **environ: str) -> OtlpReceiver:
    receiver = find_receiver(setting, environ)
    assert receiver is not None
    return receiver


def test_nothing_is_pushed_unless_an_endpoint_is_set() -> None:
    assert find_receiver("", {}) is None
    assert find_receiver("", {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) is None


@pytest.mark.parametrize(
    "switch",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_SDK_DISABLED": "True"},
        {"OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_METRICS_EXPORTER": "prometheus"},
    ],
)
def test_the_standard_switches_turn_pushing_off(switch: dict[str, str]) -> None:
    assert find_receiver("http://collector:4318", COLLECTOR | switch) is None


@pytest.mark.parametrize("chosen", ["otlp", "console,otlp", "otlp_proto_http", ""])
def test_a_choice_of_exporters_with_otlp_in_it_leaves_pushing_on(chosen: str) -> None:
    assert find_receiver("", COLLECTOR | {"OTEL_METRICS_EXPORTER": chosen}) is not None


@pytest.mark.parametrize(
    ("setting", "environ", "url"),
    [
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/metrics"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/otlp/"}, "http://c:4318/otlp/v1/metrics"),
        ("", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/m"}, "http://c:4318/m"),
        ("", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "http://m/x"),
        ("http://own:4318", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m/x"}, "http://own:4318/v1/metrics"),
        ("http://own/opentelemetry/v1/metrics", {}, "http://own/opentelemetry/v1/metrics"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://c:4317"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "c:4317"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://[::1]:4318"}, "https://[::1]:4318/v1/metrics"),
    ],
)  # fmt: skip
def test_the_most_specific_endpoint_that_is_set_is_used(setting: str, environ: dict[str, str], url: str) -> None:
    assert found(setting, **environ).url == url


def test_http_once_a_minute_is_the_default_and_the_standard_variables_change_it() -> None:
    plain = found(**COLLECTOR)
    other = found(
        **COLLECTOR,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_METRICS_PROTOCOL="GRPC",
        OTEL_METRIC_EXPORT_INTERVAL="2500",
        OTEL_EXPORTER_OTLP_TIMEOUT="2.5",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
    )

    assert (plain.protocol, plain.interval_seconds, plain.delta) == (OtlpProtocol.HTTP, 60.0, False)
    assert (other.protocol, other.interval_seconds, other.delta) == (OtlpProtocol.GRPC, 2.5, True)
    assert (plain.timeout_seconds, other.timeout_seconds) == (10.0, 2.5)
    assert (plain.compression, other.compression) == ("none", "gzip")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "garbage"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ftp://collector/"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://collector:99999/v1/metrics"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://collector:port/v1/metrics"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://col lector/v1/metrics"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://[::1/v1/metrics"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "smoke signals"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "often"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "inf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "rar"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "/nowhere/key.pem"),
    ],
)
def test_an_invalid_value_is_an_error_with_key_and_value(key: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        find_receiver("", COLLECTOR | {key: value})

    assert str(caught.value).startswith(f"{key}={value!r}: ")


def test_an_invalid_value_of_the_setting_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(
        SettingsError, match="HEAP_EXPORTER_OTLP_ENDPOINT='http://:80': it is not the address of an OTLP "
    ):
        find_receiver("http://:80", {})


@pytest.mark.parametrize("key", ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"])
@pytest.mark.parametrize("url", ["ftp://user:PASS@c:4318", "http://user:PA/PASS@c", "http://user:PASS@c:99999"])
def test_an_invalid_address_is_shown_without_its_password(key: str, url: str) -> None:
    for setting, environ in (("", {key: url}), (url, {})):
        with pytest.raises(SettingsError, match=r"ENDPOINT='.*c") as caught:
            find_receiver(setting, environ)

        assert "PASS" not in str(caught.value)


def test_a_readable_certificate_is_accepted(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.touch()

    assert find_receiver("", COLLECTOR | {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate)}) is not None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://ann:secret@c:4318/v1/metrics?key=secret", "http://c:4318/v1/metrics"),
        ("http://c:4318/a@b", "http://c:4318/a@b"),
        ("http://c?key=secret/x", "http://c"),
        ("c:4317", "c:4317"),
    ],
)
def test_the_name_for_logs_contains_no_secret(url: str, name: str) -> None:
    assert OtlpReceiver(url, OtlpProtocol.HTTP, 60.0).name == name
