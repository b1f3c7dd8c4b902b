"""What can be set, its defaults, and one parser for all of it.

Every field of :class:`Settings` is the environment variable ``HEAP_EXPORTER_<FIELD>`` and a keyword of
``heap_exporter.start()``. Some answer to a name of the Node monitor too (``aliases``), whose idea this is.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from heap_exporter.errors import SettingsError
from heap_exporter.runtime.logs import log
from heap_exporter.runtime.redaction import HIDDEN, Secret, without_secrets
from heap_exporter.runtime.urls import http_url_problem

PREFIX = "HEAP_EXPORTER_"
TESTS_PREFIX = "HEAP_EXPORTER_REQUIRE_"
"""Variables under this prefix steer the project's own tests and are no settings."""

MIN_SAMPLES_A_WINDOW = 12
"""Samples without which a trend cannot be told from noise: one a bucket."""

MAX_SAMPLES = 100_000
"""Samples that fit into memory with decency."""

NODE_THRESHOLD = "HEAP_MONITOR_GROWTH_THRESHOLD"
NODE_MIN_SLOPE_BYTES_PER_HOUR = 60e6
"""The Node monitor's rule is two conditions: so many percent over the window, and 1 MB a minute."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a setting is for, what it may be, and its other names: variable name → factor to this setting's unit."""

    help: str
    least: float = -math.inf
    most: float = math.inf
    is_url: bool = False
    choices: tuple[str, ...] = ()
    aliases: Mapping[str, float] = dataclasses.field(default_factory=dict)


def setting(default: Any, help: str, **rule: Any) -> Any:
    """Return a dataclass field that carries its :class:`Rule`."""
    return dataclasses.field(default=default, metadata={"rule": Rule(help, **rule)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. Raises :class:`SettingsError` on a value out of range or of the wrong kind."""

    enabled: bool = setting(
        True, "`false` turns everything off: `start()` then starts nothing.", aliases={"HEAP_MONITOR_ENABLED": 1}
    )
    host: str = setting("127.0.0.1", "Address to listen on. Off loopback, set a token.")
    port: int = setting(9465, "Port to listen on; 0 takes a free one.", least=0, most=65535)
    http: bool = setting(True, "`false` opens no port: for services that mount or push.")
    token: Secret = setting(
        Secret(""), "Bearer token asked for by everything but `/metrics` and `/-/healthy`; needed off loopback."
    )
    interval_seconds: float = setting(
        15.0, "Time between samples.", least=0.05, most=3600, aliases={"HEAP_MONITOR_INTERVAL_MS": 0.001}
    )
    census_interval_seconds: float = setting(
        60.0, "Shortest time between censuses and other slow readings.", least=0.2, most=86400
    )
    census_cpu_percent: float = setting(
        0.5,
        "Share of one core that slow readings may use; their interval stretches to keep to it.",
        least=0.01,
        most=100,
    )
    window_seconds: float = setting(900.0, "Window over which growth is judged.", least=2, most=604800)
    growth_threshold_percent: float = setting(
        1.0, "Growth in percent below which nothing is suspected, however long it takes.",
        least=0, most=1000, aliases={NODE_THRESHOLD: 1},
    )  # fmt: skip  # reads as one line
    min_slope_bytes_per_hour: float = setting(
        8 * 1024 * 1024,
        "Growth of less than this slope times a window is not suspected, however long it takes.",
        least=0,
        most=1e15,
    )
    max_samples: int = setting(
        1440,
        "Samples kept in memory; a window's are kept in any case.",
        least=10,
        most=MAX_SAMPLES,
        aliases={"HEAP_MONITOR_MAX_SAMPLES": 1},
    )
    snapshot_dir: Path = setting(
        Path(), "Folder for snapshots; made with mode 0700. Default: `heap-exporter-<uid>` in the temporary folder.",
        aliases={"HEAP_DUMP_DIR": 1},
    )  # fmt: skip  # reads as one line
    snapshot_keep: int = setting(20, "Snapshots kept in the folder; the oldest go first.", least=1, most=100_000)
    snapshot_max_bytes: int = setting(
        4 * 1024**3, "Bytes that the folder may hold; the oldest go first, never for a snapshot that fails.",
        least=1024**2, most=10**15,
    )  # fmt: skip  # reads as one line
    free_disk_bytes: int = setting(
        64 * 1024**2, "Free space that a snapshot must leave on the disk.", least=0, most=10**15
    )
    snapshot_on_leak: bool = setting(True, "Take a snapshot when a leak is suspected, and another to compare.")
    snapshot_cooldown_seconds: float = setting(
        3600.0, "Time for which the same leak sets off no snapshot and no alert again.", least=0, most=604800
    )
    snapshots_a_day: int = setting(
        12,
        "Snapshots taken unasked in 24 hours by all processes that share the folder; a suspicion takes two.",
        least=0,
        most=10_000,
    )
    near_limit_percent: float = setting(
        85.0, "Share of the memory limit from which growth sets off a census and a snapshot at once.", least=1, most=100
    )
    record: bool = setting(True, "Record samples in the folder: for `replay`, and to tell what was before a crash.")
    upload_url: str = setting(
        "", "Where snapshots are uploaded to, as `s3://bucket/folder`; needs the extra `heap-exporter[s3]`."
    )
    upload_remove_local: bool = setting(False, "Remove a snapshot from the folder once its upload is verified.")
    alert_webhook_url: Secret = setting(
        Secret(""), "Where an alert is posted to.", is_url=True, aliases={"ALERT_WEBHOOK_URL": 1}
    )
    alert_webhook_format: str = setting("json", "What is posted there.", choices=("json", "slack", "alertmanager"))
    snapshot_keys: bool = setting(
        False, "Write the keys of plain dicts into snapshots too. There may be secrets among them."
    )
    walker: str = setting(
        "auto",
        "Who walks the heap: `native` (in a clone; Linux), `portable` (in Python), or `auto`: the best that works.",
        choices=("auto", "native", "portable"),
    )
    walk_timeout_seconds: float = setting(
        120.0, "Longest time that a clone may walk before it is killed.", least=1, most=3600
    )
    compare_max_objects: int = setting(
        3_000_000,
        "Largest heap whose snapshots are compared with the one before, beside the service; 0 compares none.",
        least=0,
        most=2_000_000_000,
    )
    otlp_endpoint: str = setting(
        "",
        "Where to push OTLP metrics; goes before `OTEL_EXPORTER_OTLP_ENDPOINT`. Without a path: `/v1/metrics`.",
        is_url=True,
        aliases={"METRICS_ENDPOINT": 1},
    )

    def __post_init__(self) -> None:
        for name, (rule, _) in rules().items():
            _check(name, getattr(self, name), rule)
        if self.snapshot_dir == Path():
            object.__setattr__(self, "snapshot_dir", default_snapshot_dir())
        self._check_window()

    def __repr__(self) -> str:
        """Return all settings, addresses without the user, password and query that they may hold."""
        values = {name: getattr(self, name) for name in _TYPES}
        shown = {name: without_secrets(value) if type(value) is str else value for name, value in values.items()}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def _check_window(self) -> None:
        """Raise :class:`SettingsError` unless the window holds enough samples to judge, and no more than fit."""
        window, interval = self.window_seconds, self.interval_seconds
        if window < MIN_SAMPLES_A_WINDOW * interval:
            raise SettingsError(
                "window_seconds",
                window,
                f"too short to judge with a sample every {interval:g} s; set window_seconds to "
                f"{MIN_SAMPLES_A_WINDOW * interval:g} at least, or interval_seconds to "
                f"{window / MIN_SAMPLES_A_WINDOW:g} at most",
            )
        if window > MAX_SAMPLES * interval:
            raise SettingsError(
                "interval_seconds",
                interval,
                f"too short for a window of {window:g} s; set interval_seconds to {window / MAX_SAMPLES:g} at least, "
                f"or window_seconds to {MAX_SAMPLES * interval:g} at most",
            )

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Return the settings of the environment with ``overrides`` laid over them.

        An unknown ``HEAP_EXPORTER_*`` variable is a logged warning with the nearest known name; an unknown
        override is a :class:`SettingsError`.
        """
        environ = os.environ if environ is None else environ
        values = _from_environment(environ)
        for name, value in overrides.items():
            if name not in _TYPES:
                # Under a misspelt name the value may be the token.
                raise SettingsError(name, HIDDEN, f"no such setting{_nearest(name, _TYPES)}")
            values[name] = _parse(name, value, _TYPES[name])
            _check(name, values[name], rules()[name][0])
        _warn_of_unknown(environ)
        return cls(**values)


def default_snapshot_dir() -> Path:
    """Return the folder for snapshots when none is set: one a user, in the temporary folder."""
    user = os.getuid() if hasattr(os, "getuid") else os.getpid()
    return Path(tempfile.gettempdir()) / f"heap-exporter-{user}"


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def rules() -> dict[str, tuple[Rule, Any]]:
    """Return each setting's rule and default, in the order of definition."""
    return {field.name: (_rule(field), field.default) for field in dataclasses.fields(Settings)}


def _rule(field: dataclasses.Field[Any]) -> Rule:
    rule = field.metadata["rule"]
    assert isinstance(rule, Rule)
    return rule


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, (rule, _) in rules().items():
        for key, factor in {**rule.aliases, variable(name): 1.0}.items():
            if environ.get(key):
                value = _parse(key, environ[key], float if factor != 1 else _TYPES[name])
                _check(key, value, rule, factor)
                values[name] = value * factor if factor != 1 else value
    if environ.get(NODE_THRESHOLD):
        values.setdefault("min_slope_bytes_per_hour", NODE_MIN_SLOPE_BYTES_PER_HOUR)
    return values


def _parse(key: str, value: Any, kind: type) -> Any:
    """Return ``value``, which may be the text of an environment variable, as ``kind``."""
    if kind is Secret and isinstance(value, Secret):
        return value
    if kind is bool:
        return _parse_bool(key, value)
    if kind in (int, float) and isinstance(value, bool):
        raise SettingsError(key, value, "not a number")
    if kind is Path and not isinstance(value, str | os.PathLike):
        raise SettingsError(key, value, "not a path")
    if kind in (str, Secret) and not isinstance(value, str):
        raise SettingsError(key, HIDDEN if kind is Secret else value, "not a text")
    if kind is int and isinstance(value, float) and not value.is_integer():
        raise SettingsError(key, value, "not a whole number")
    try:
        return kind(value)
    except (TypeError, ValueError):
        words = {int: "a whole number", float: "a number"}
        raise SettingsError(key, value, f"not {words.get(kind, kind.__name__)}") from None


def _parse_bool(key: str, value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    found = words.get(str(value).strip().lower())
    if found is None:
        raise SettingsError(key, value, "not a yes or no; use true or false")
    return found


def _check(key: str, value: Any, rule: Rule, factor: float = 1.0) -> None:
    """Raise :class:`SettingsError` unless the value, times ``factor``, is one that the rule allows."""
    if isinstance(value, float | int) and not rule.least <= value * factor <= rule.most:
        raise SettingsError(key, value, f"must be from {rule.least / factor:g} to {rule.most / factor:g}")
    if rule.choices and value not in rule.choices:
        raise SettingsError(key, value, f"must be {', '.join(rule.choices[:-1])} or {rule.choices[-1]}")
    if rule.is_url and value and (problem := http_url_problem(value)):
        raise SettingsError(key, HIDDEN if isinstance(value, Secret) else without_secrets(value), problem)


def _warn_of_unknown(environ: Mapping[str, str]) -> None:
    known = [variable(name) for name in _TYPES]
    for key in environ:
        if key.startswith(PREFIX) and not key.startswith(TESTS_PREFIX) and key not in known:
            log.warning("%s is no setting of heap-exporter%s", key, _nearest(key, known))


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


_TYPES: dict[str, type] = get_type_hints(Settings)
