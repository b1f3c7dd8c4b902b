"""The OTLP receiver: its address, protocol and interval, from the settings and the standard ``OTEL_*`` variables.

This imports nothing of OpenTelemetry, so that a process without a receiver need not load it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from heap_exporter.errors import SettingsError
from heap_exporter.runtime.redaction import without_secrets

SETTING = "HEAP_EXPORTER_OTLP_ENDPOINT"
HTTP_PATH = "/v1/metrics"
DEFAULT_INTERVAL_MILLIS = "60000"
DEFAULT_TIMEOUT_SECONDS = 10.0

_COMPRESSIONS = ("none", "gzip", "deflate")
_FILES = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")


class OtlpProtocol(StrEnum):
    """The supported transports of OTLP."""

    HTTP = "http/protobuf"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True)
class OtlpReceiver:
    """An OTLP receiver, and how to push to it."""

    url: str
    protocol: OtlpProtocol
    interval_seconds: float
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    compression: str = "none"
    delta: bool = False

    @property
    def name(self) -> str:
        """Return the address of the OTLP receiver for logs: without user, password and query."""
        return without_secrets(self.url)


def find_receiver(setting: str, environ: Mapping[str, str] | None = None) -> OtlpReceiver | None:
    """Return the OTLP receiver to push metrics to, ``None`` if no endpoint is set or ``OTEL_*`` turns the push off.

    ``setting`` is the value of ``otlp_endpoint``, which has precedence over the standard variables. Over HTTP the path
    ``/v1/metrics`` is added to a setting without a path, as to ``OTEL_EXPORTER_OTLP_ENDPOINT``.
    Raises :class:`SettingsError` with the variable that is invalid.
    """
    environ = os.environ if environ is None else environ
    if _is_off(environ):
        return None
    key, url = _address(setting, environ)
    if not url:
        return None
    protocol = _protocol(environ)
    _check_address(key, url, protocol)
    if protocol is OtlpProtocol.HTTP:
        url = _with_path(key, url)
    _check_files(environ)
    return OtlpReceiver(
        url=url,
        protocol=protocol,
        interval_seconds=_interval_seconds(environ),
        timeout_seconds=_timeout_seconds(environ),
        compression=_compression(environ),
        delta=_get(environ, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE").upper() == "DELTA",
    )


def _get(environ: Mapping[str, str], key: str) -> str:
    """Return the value of an ``OTEL_*`` variable; as OpenTelemetry specifies, an empty one counts as unset."""
    return environ.get(key, "").strip()


def _first(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return key and value of an OTLP variable; the one for metrics has precedence over that for all signals."""
    for key in (f"OTEL_EXPORTER_OTLP_METRICS_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if value := _get(environ, key):
            return key, value
    return "", ""


def _is_off(environ: Mapping[str, str]) -> bool:
    if _get(environ, "OTEL_SDK_DISABLED").lower() == "true":
        return True
    chosen = _get(environ, "OTEL_METRICS_EXPORTER").lower()
    return bool(chosen) and not any(name.strip().startswith("otlp") for name in chosen.split(","))


def _address(setting: str, environ: Mapping[str, str]) -> tuple[str, str]:
    return (SETTING, setting.strip()) if setting.strip() else _first(environ, "ENDPOINT")


def _protocol(environ: Mapping[str, str]) -> OtlpProtocol:
    key, value = _first(environ, "PROTOCOL")
    if not value:
        return OtlpProtocol.HTTP
    try:
        return OtlpProtocol(value.lower())
    except ValueError:
        raise SettingsError(key, value, f"it must be {' or '.join(OtlpProtocol)}") from None


def _check_address(key: str, url: str, protocol: OtlpProtocol) -> None:
    # The gRPC exporter accepts host:port, too, and reads from OTEL_EXPORTER_OTLP_INSECURE whether to use TLS.
    from urllib.parse import urlsplit  # many services push to no receiver

    bare = protocol is OtlpProtocol.GRPC and "://" not in url
    try:
        parts = urlsplit(f"//{url}" if bare else url)
        usable = bool(parts.hostname) and parts.port != 0 and not any(letter.isspace() for letter in url)
    except ValueError:
        usable = False
    if not usable or not (bare or parts.scheme in ("http", "https")):
        example = "http://collector:4317" if protocol is OtlpProtocol.GRPC else "http://collector:4318"
        raise SettingsError(key, without_secrets(url), f"it is not the address of an OTLP receiver, such as {example}")


def _with_path(key: str, url: str) -> str:
    if key == "OTEL_EXPORTER_OTLP_ENDPOINT":
        return url.rstrip("/") + HTTP_PATH
    from urllib.parse import urlsplit

    if key == SETTING and urlsplit(url).path in ("", "/"):
        return urlsplit(url)._replace(path=HTTP_PATH).geturl()
    return url


def _interval_seconds(environ: Mapping[str, str]) -> float:
    key = "OTEL_METRIC_EXPORT_INTERVAL"
    return _positive(key, _get(environ, key) or DEFAULT_INTERVAL_MILLIS, "milliseconds") / 1000


def _timeout_seconds(environ: Mapping[str, str]) -> float:
    key, value = _first(environ, "TIMEOUT")
    return _positive(key, value, "seconds") if value else DEFAULT_TIMEOUT_SECONDS


def _positive(key: str, value: str, unit: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise SettingsError(key, value, f"it must be a number of {unit} greater than 0")
    return number


def _compression(environ: Mapping[str, str]) -> str:
    key, value = _first(environ, "COMPRESSION")
    if value and value.lower() not in _COMPRESSIONS:
        raise SettingsError(key, value, f"it must be one of {', '.join(_COMPRESSIONS)}")
    return value.lower() or "none"


def _check_files(environ: Mapping[str, str]) -> None:
    for name in _FILES:
        key, value = _first(environ, name)
        if value and not os.access(value, os.R_OK):
            raise SettingsError(key, value, "the file does not exist or is not readable")
