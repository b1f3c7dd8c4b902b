"""All settings with their defaults, and their parser.

Every field of :class:`Settings` is the environment variable ``HEAP_EXPORTER_<FIELD>`` and a keyword of
``heap_exporter.start()``. Some have a variable of the Node.js heap monitor as an alias.
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
from heap_exporter.runtime.own_folder import name_for_user
from heap_exporter.runtime.redaction import HIDDEN, Secret, without_secrets
from heap_exporter.runtime.urls import http_url_problem

PREFIX = "HEAP_EXPORTER_"
TESTS_PREFIX = "HEAP_EXPORTER_REQUIRE_"
"""Variables with this prefix are for the tests of the project; they are not settings."""

MIN_SAMPLES_A_WINDOW = 12
"""Samples that a window needs to separate a trend from noise: one per bucket."""

MAX_SAMPLES = 100_000
"""Upper bound on the samples kept in memory."""

NODE_THRESHOLD = "HEAP_MONITOR_GROWTH_THRESHOLD"
NODE_MIN_SLOPE_BYTES_PER_HOUR = 60e6
"""The rule of the Node.js monitor has two conditions: a percentage over the window, and 1 MB a minute."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The help text of a setting, its allowed values, and its aliases: variable → factor to the unit of the setting."""

    help: str
    min: float = -math.inf
    max: float = math.inf
    is_url: bool = False
    choices: tuple[str, ...] = ()
    aliases: Mapping[str, float] = dataclasses.field(default_factory=dict)


def setting(default: Any, help: str, **rule: Any) -> Any:
    """Return a dataclass field that carries its :class:`Rule`."""
    return dataclasses.field(default=default, metadata={"rule": Rule(help, **rule)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. Raises :class:`SettingsError` on a value out of range or of the wrong kind."""

    # Without the formatter, each setting takes two or three lines.
    # fmt: off
    enabled: bool = setting(
        True, "`false` turns the exporter off; `start()` then does nothing.", aliases={"HEAP_MONITOR_ENABLED": 1})
    host: str = setting(
        "127.0.0.1", "Address that the HTTP server listens on. Set a token if other machines can reach this address.")
    port: int = setting(
        9465, "Port that the HTTP server listens on; 0 selects any free port. While another process uses the port, the "
        "server listens on a free one.", min=0, max=65535)
    http: bool = setting(
        True, "`false` disables the HTTP server, for services that mount the pages in their own server or push "
        "metrics.")
    token: Secret = setting(
        Secret(""), "Bearer token that requests must carry, except for `/metrics` and `/-/healthy`. If no token is "
        "set, other machines can read only these two paths.")
    interval_seconds: float = setting(
        15.0, "Time between consecutive samples of the process.",
        min=0.05, max=3600, aliases={"HEAP_MONITOR_INTERVAL_MS": 0.001})
    census_interval_seconds: float = setting(
        60.0, "Minimum time between consecutive censuses (counts of all objects by type). Malloc memory, PSS and USS "
        "are also measured at each census.", min=0.2, max=86400)
    census_cpu_percent: float = setting(
        0.5, "Maximum share of one CPU core that censuses may use; censuses of a large heap are taken less often to "
        "stay within it.", min=0.01, max=100)
    window_seconds: float = setting(
        900.0, "Detection window: the shortest time over which the leak detector measures growth.", min=2, max=604800)
    growth_threshold_percent: float = setting(
        1.0, "The leak detector ignores growth that is below this percentage of the process's memory.",
        min=0, max=1000, aliases={NODE_THRESHOLD: 1})
    min_slope_bytes_per_hour: float = setting(
        8 * 1024 * 1024, "The leak detector ignores growth that is below the amount that memory gains in one "
        "detection window at this rate.", min=0, max=1e15)
    max_samples: int = setting(
        1440, "Maximum number of samples kept in memory; the samples of one detection window are always kept.",
        min=10, max=MAX_SAMPLES, aliases={"HEAP_MONITOR_MAX_SAMPLES": 1})
    snapshot_dir: Path = setting(
        Path(), "Snapshot folder, created with mode 0700. If every user can write to this folder, its subfolder "
        "`heap-exporter-<uid>` is used instead. Default: `heap-exporter-<uid>` in the system's temporary folder.",
        aliases={"HEAP_DUMP_DIR": 1})
    snapshot_keep: int = setting(
        20, "Maximum number of snapshots kept in the snapshot folder; the oldest are deleted first.",
        min=1, max=100_000)
    snapshot_max_bytes: int = setting(
        4 * 1024**3, "Maximum total size of the snapshots in the snapshot folder; the oldest are deleted first.",
        min=1024**2, max=10**15)
    free_disk_bytes: int = setting(
        64 * 1024**2, "Disk space that must remain free after a snapshot is written.", min=0, max=10**15)
    snapshot_on_leak: bool = setting(
        True, "Take a snapshot when a leak is suspected, and a second snapshot later for comparison.")
    snapshot_cooldown_seconds: float = setting(
        3600.0, "Minimum time before the same leak triggers automatic snapshots, or an alert, again.",
        min=0, max=604800)
    snapshots_a_day: int = setting(
        12, "Maximum number of automatic snapshots in 24 hours, across all processes that share the snapshot folder; "
        "each suspected leak takes two.", min=0, max=10_000)
    near_limit_percent: float = setting(
        85.0, "Percentage of the cgroup's memory limit in use at which a growing process immediately takes a census "
        "and a snapshot.", min=1, max=100)
    record: bool = setting(
        True, "Save samples in the snapshot folder so that `heap-exporter replay` and, after a crash, `heap-exporter "
        "last-exit` can read them.")
    watch_exit: bool = setting(
        True, "Run a small watcher process that records the exit code or the signal with which each process of the "
        "service ends (Linux 5.3 and newer). Without it, `heap-exporter last-exit` cannot distinguish kills and stops.")
    upload_url: str = setting(
        "", "URL to which snapshots are uploaded, such as `s3://bucket/folder`; requires the extra "
        "`heap-exporter[s3]`.")
    upload_remove_local: bool = setting(
        False, "Delete each snapshot from the snapshot folder after its upload has been verified.")
    alert_webhook_url: Secret = setting(
        Secret(""), "URL of the webhook to which leak alerts are posted.",
        is_url=True, aliases={"ALERT_WEBHOOK_URL": 1})
    alert_webhook_format: str = setting(
        "json", "Format of the leak alerts posted to the webhook.", choices=("json", "slack", "alertmanager"))
    snapshot_keys: bool = setting(
        False, "Include the keys of plain dicts in snapshots; these keys may contain secrets.")
    walker: str = setting(
        "auto", "Heap walker: `native` (C code in a cloned process; Linux only), `portable` (Python code in the "
        "process itself), or `auto` (the best walker that works).", choices=("auto", "native", "portable"))
    walk_timeout_seconds: float = setting(
        120.0, "Maximum duration of a heap walk in a cloned process; after this time, the clone is killed.",
        min=1, max=3600)
    compare_snapshots: bool = setting(
        True, "Compare each snapshot with the previous one, in a subprocess with the lowest priority. A comparison "
        "starts only if it needs at most half of the free memory.")
    otlp_endpoint: str = setting(
        "", "URL to which metrics are pushed over OTLP; overrides `OTEL_EXPORTER_OTLP_ENDPOINT`. The path defaults to "
        "`/v1/metrics`.", is_url=True, aliases={"METRICS_ENDPOINT": 1})
    # fmt: on

    def __post_init__(self) -> None:
        for name, (rule, _) in rules().items():
            _check(name, getattr(self, name), rule)
        if self.snapshot_dir == Path():
            object.__setattr__(self, "snapshot_dir", default_snapshot_dir())
        self._check_window()

    def __repr__(self) -> str:
        """Return all settings, addresses without user, password and query."""
        values = {name: getattr(self, name) for name in _TYPES}
        shown = {name: without_secrets(value) if type(value) is str else value for name, value in values.items()}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def _check_window(self) -> None:
        """Raise :class:`SettingsError` if the window has too few samples to judge, or more than fit into memory."""
        window, interval = self.window_seconds, self.interval_seconds
        if window < MIN_SAMPLES_A_WINDOW * interval:
            raise SettingsError(
                "window_seconds",
                window,
                f"too short to detect growth with one sample every {interval:g} s; set window_seconds to at "
                f"least {MIN_SAMPLES_A_WINDOW * interval:g}, or interval_seconds to at most "
                f"{window / MIN_SAMPLES_A_WINDOW:g}",
            )
        if window > MAX_SAMPLES * interval:
            raise SettingsError(
                "interval_seconds",
                interval,
                f"too short for a window of {window:g} s; set interval_seconds to at least {window / MAX_SAMPLES:g}, "
                f"or window_seconds to at most {MAX_SAMPLES * interval:g}",
            )

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Return the settings of the environment variables, replaced by ``overrides``.

        An unknown ``HEAP_EXPORTER_*`` variable is logged as a warning with the nearest known name. Raises
        :class:`SettingsError` for a value that is not allowed, and for an unknown override.
        """
        environ = os.environ if environ is None else environ
        values = _from_environment(environ)
        for name, value in overrides.items():
            if name not in _TYPES:
                # The value of a misspelt name may be the token.
                raise SettingsError(name, HIDDEN, f"heap-exporter has no such setting{_nearest(name, _TYPES)}")
            values[name] = _parse(name, value, _TYPES[name])
            _check(name, values[name], rules()[name][0])
        _warn_of_unknown(environ)
        return cls(**values)


def default_snapshot_dir() -> Path:
    """Return the default of the setting ``snapshot_dir``: a folder for each user in the temporary folder."""
    return Path(tempfile.gettempdir()) / name_for_user()


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def rules() -> dict[str, tuple[Rule, Any]]:
    """Return the rule and the default of each setting, by name, in the order of definition."""
    return {field.name: (_rule(field), field.default) for field in dataclasses.fields(Settings)}


def _rule(field: dataclasses.Field[Any]) -> Rule:
    """Return the rule of a field of :class:`Settings`."""
    rule = field.metadata["rule"]
    assert isinstance(rule, Rule)
    return rule


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that environment variables and their aliases set."""
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
    """Return the value of a setting, which may be the text of an environment variable, as ``kind``."""
    if kind is Secret and isinstance(value, Secret):
        return value
    if kind is bool:
        return _parse_bool(key, value)
    if kind in (int, float) and isinstance(value, bool):
        raise SettingsError(key, value, "not a number")
    if kind is Path and not isinstance(value, str | os.PathLike):
        raise SettingsError(key, value, "not a path")
    if kind in (str, Secret) and not isinstance(value, str):
        raise SettingsError(key, HIDDEN if kind is Secret else value, "not a string")
    if kind is int and isinstance(value, float) and not value.is_integer():
        raise SettingsError(key, value, "not a whole number")
    try:
        return kind(value)
    except (TypeError, ValueError):
        words = {int: "a whole number", float: "a number"}
        raise SettingsError(key, value, f"not {words.get(kind, kind.__name__)}") from None


def _parse_bool(key: str, value: Any) -> bool:
    """Return a setting that is true or false. Raises :class:`SettingsError`."""
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    found = words.get(str(value).strip().lower())
    if found is None:
        raise SettingsError(key, value, "not true or false")
    return found


def _check(key: str, value: Any, rule: Rule, factor: float = 1.0) -> None:
    """Raise :class:`SettingsError` unless the rule of a setting allows the value times ``factor``."""
    if isinstance(value, float | int) and not rule.min <= value * factor <= rule.max:
        raise SettingsError(key, value, f"must be between {rule.min / factor:g} and {rule.max / factor:g}")
    if rule.choices and value not in rule.choices:
        raise SettingsError(key, value, f"must be {', '.join(rule.choices[:-1])} or {rule.choices[-1]}")
    if rule.is_url and value and (problem := http_url_problem(value)):
        raise SettingsError(key, HIDDEN if isinstance(value, Secret) else without_secrets(value), problem)


def _warn_of_unknown(environ: Mapping[str, str]) -> None:
    """Log each ``HEAP_EXPORTER_*`` environment variable that is not a setting."""
    known = [variable(name) for name in _TYPES]
    for key in environ:
        if key.startswith(PREFIX) and not key.startswith(TESTS_PREFIX) and key not in known:
            log.warning(
                "heap-exporter ignores the environment variable %s: there is no such setting%s",
                key,
                _nearest(key, known),
            )


def _nearest(name: str, known: Any) -> str:
    """Return a hint for a misspelt setting: the setting of the most similar name, "" if none is similar."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


_TYPES: dict[str, type] = get_type_hints(Settings)
