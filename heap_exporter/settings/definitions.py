"""All settings with their defaults.

Every field of :class:`Settings` is the environment variable ``HEAP_EXPORTER_<NAME>`` and a keyword of
``heap_exporter.start()``. The name is that of the field without its unit: users write ``window="15m"``, the code reads
``settings.window_seconds``. Some have a variable of the Node.js heap monitor as an alias.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_type_hints

from heap_exporter.errors import SettingsError
from heap_exporter.model import DetectorThresholds
from heap_exporter.model.detector_thresholds import (
    GROWTH_BOUNDS_PERCENT,
    SLOPE_BOUNDS_BYTES_PER_HOUR,
    WINDOW_BOUNDS_SECONDS,
)
from heap_exporter.runtime.own_folder import name_for_user, temporary_folder
from heap_exporter.runtime.quantities import DURATION, GROWTH_RATE, PERCENT, SIZE, short_duration
from heap_exporter.runtime.redaction import HIDDEN, Secret
from heap_exporter.runtime.service_name import service_name
from heap_exporter.runtime.short_repr import repr_of_fields
from heap_exporter.settings.environment import NODE_THRESHOLD, nearest, read_environment
from heap_exporter.settings.old_names import with_new_names
from heap_exporter.settings.rule import Definition, Rule, variable

if TYPE_CHECKING:
    from typing import Unpack

    from heap_exporter.settings.keywords import SettingsKeywords

MIN_SAMPLES_A_WINDOW = 12
"""Samples that a window needs to separate a trend from noise: one per bucket."""

MAX_SAMPLES = 100_000
"""Upper bound on the samples kept in memory."""


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
    autostart: bool = setting(
        False, "Start the exporter in each Python process of the environment that has heap-exporter installed, without "
        "a call of `start()`. `heap-exporter run` sets it for one program.")
    autostart_delay_seconds: float = setting(
        5.0, "How long after its start, or after its fork, a process starts the exporter by `HEAP_EXPORTER_AUTOSTART`. "
        "A number with one unit, such as `5s`.", quantity=DURATION, min=0, max=3600)
    service: str = setting(
        "", "Name of the service: the label `service` of its metrics, and its name in alerts and snapshots. Default: "
        "`OTEL_SERVICE_NAME`, or else the file name of the program.")
    host: str = setting(
        "127.0.0.1", "Address that the HTTP server listens on. Set a token if other machines can reach this address.")
    port: int = setting(
        9465, "Port that one process serves for all that share the snapshot folder; 0 selects any free port, for each "
        "process its own. While another program uses the port, a free one is served.", min=0, max=65535)
    http: bool = setting(
        True, "`false` disables the HTTP server, for services that mount the pages in their own server or push "
        "metrics.")
    hub: str = setting(
        "auto", "Whether this process may serve the port for all processes that share the snapshot folder: `auto` (the "
        "first one does, and when it ends another one) or `never` (where `heap-exporter hub` serves the port).",
        choices=("auto", "never"))
    token: Secret = setting(
        Secret(""), "Bearer token that requests must carry, except for `/metrics` and `/-/healthy`. If no token is "
        "set, other machines can read only these two paths.")
    interval_seconds: float = setting(
        15.0, "Time between consecutive samples of the process.",
        quantity=DURATION, min=0.05, max=3600, aliases={"HEAP_MONITOR_INTERVAL_MS": 0.001})
    census_interval_seconds: float = setting(
        60.0, "Minimum time between consecutive censuses (counts of all objects by type). Malloc memory, PSS and USS "
        "are also measured at each census.", quantity=DURATION, min=0.2, max=86400)
    census_cpu_percent: float = setting(
        0.5, "Maximum share of one CPU core that censuses may use; censuses of a large heap are taken less often to "
        "stay within it.", quantity=PERCENT, min=0.01, max=100)
    window_seconds: float = setting(
        900.0, "Detection window: the shortest time over which the leak detector measures growth.",
        quantity=DURATION, min=WINDOW_BOUNDS_SECONDS[0], max=WINDOW_BOUNDS_SECONDS[1])
    growth_threshold_percent: float = setting(
        1.0, "The leak detector ignores growth that is below this percentage of the process's memory.",
        quantity=PERCENT, min=GROWTH_BOUNDS_PERCENT[0], max=GROWTH_BOUNDS_PERCENT[1], aliases={NODE_THRESHOLD: 1})
    min_slope_bytes_per_hour: float = setting(
        8.0 * 1024**2, "The leak detector ignores growth that is below the amount that memory gains in one "
        "detection window at this rate.", quantity=GROWTH_RATE,
        min=SLOPE_BOUNDS_BYTES_PER_HOUR[0], max=SLOPE_BOUNDS_BYTES_PER_HOUR[1])
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
    snapshot_max_size_bytes: int = setting(
        4 * 1024**3, "Maximum total size of the snapshots in the snapshot folder; the oldest are deleted first.",
        quantity=SIZE, min=1024**2, max=1024**5)
    free_disk_bytes: int = setting(
        64 * 1024**2, "Disk space that must remain free after a snapshot is written.",
        quantity=SIZE, min=0, max=1024**5)
    snapshot_on_leak: bool = setting(
        True, "Take a snapshot when a leak is suspected, and a second snapshot later for comparison.")
    snapshot_cooldown_seconds: float = setting(
        3600.0, "Minimum time before the same leak triggers automatic snapshots, or an alert, again.",
        quantity=DURATION, min=0, max=604800)
    snapshots_a_day: int = setting(
        12, "Maximum number of automatic snapshots in 24 hours, across all processes that share the snapshot folder; "
        "each suspected leak takes two.", min=0, max=10_000)
    near_limit_percent: float = setting(
        85.0, "Percentage of the cgroup's memory limit in use at which a growing process immediately takes a census "
        "and a snapshot.", quantity=PERCENT, min=1, max=100)
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
        quantity=DURATION, min=1, max=3600)
    compare_snapshots: bool = setting(
        True, "Compare each snapshot with the previous one, in a subprocess with the lowest priority. A comparison "
        "starts only if it needs at most half of the free memory.")
    allocations: str = setting(
        "suspected", "When to sample which lines of code allocate memory: `suspected` (from the suspicion of a leak to "
        "its alert), `always`, or `off`. Needs the extension in C.", choices=("suspected", "always", "off"))
    allocations_interval_bytes: int = setting(
        128 * 1024, "Mean number of allocated bytes from one sampled allocation to the next. A quarter of it halves "
        "the error of the estimates.", quantity=SIZE, min=1024, max=1024**3)
    allocations_cpu_percent: float = setting(
        0.5, "Maximum share of one CPU core that taking samples of allocations may use; above it, fewer are taken.",
        quantity=PERCENT, min=0.01, max=100)
    lost: bool = setting(
        True, "Search for memory that C code has lost whenever a snapshot is taken, in a cloned process: references "
        "that it did not release, and memory that it did not free. Needs the native walker.")
    lost_max_bytes: int = setting(
        4 * 1024**3, "Memory of the process in RAM above which lost memory is not searched for: the search takes about "
        "a second of a CPU core for each GiB.", quantity=SIZE, min=0, max=1024**5)
    otlp_endpoint: str = setting(
        "", "URL to which metrics are pushed over OTLP; overrides `OTEL_EXPORTER_OTLP_ENDPOINT`. The path defaults to "
        "`/v1/metrics`.", is_url=True, aliases={"METRICS_ENDPOINT": 1})
    # fmt: on

    def __post_init__(self) -> None:
        for definition in definitions().values():
            value = getattr(self, definition.attribute)
            definition.rule.check(definition.attribute, value, value)
            if definition.kind is Secret and type(value) is not Secret:
                object.__setattr__(self, definition.attribute, Secret(value))
        object.__setattr__(self, "service", service_name(self.service))
        if self.snapshot_dir == Path():
            object.__setattr__(self, "snapshot_dir", default_snapshot_dir())
        self._check_window()

    def __repr__(self) -> str:
        """Return the settings that differ from the defaults as users write them, URLs without user and password."""
        defaults = type(self)()
        return repr_of_fields(
            self,
            (
                (name, definition.rule.shown(value))
                for name, definition in definitions().items()
                if (value := getattr(self, definition.attribute)) != getattr(defaults, definition.attribute)
            ),
        )

    @property
    def detector_thresholds(self) -> DetectorThresholds:
        """Return the settings of the leak detector."""
        return DetectorThresholds(self.window_seconds, self.growth_threshold_percent, self.min_slope_bytes_per_hour)

    def _check_window(self) -> None:
        """Raise :class:`SettingsError` if the window has too few samples to judge, or more than fit into memory."""
        window, interval = self.window_seconds, self.interval_seconds
        if window < MIN_SAMPLES_A_WINDOW * interval:
            raise SettingsError(
                "window",
                short_duration(window),
                f"too short to detect growth with one sample every {short_duration(interval)}; set window to at least "
                f"{short_duration(MIN_SAMPLES_A_WINDOW * interval)}, or interval to at most "
                f"{short_duration(longest_interval(window))}",
            )
        if window > MAX_SAMPLES * interval:
            raise SettingsError(
                "interval",
                short_duration(interval),
                f"too short for a window of {short_duration(window)}; set interval to at least "
                f"{short_duration(math.ceil(window / MAX_SAMPLES * 1000) / 1000)}, or window to at most "
                f"{short_duration(MAX_SAMPLES * interval)}",
            )

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **overrides: Unpack[SettingsKeywords]) -> Settings:
        """Return the settings of the environment variables, replaced by ``overrides``.

        An unknown ``HEAP_EXPORTER_*`` variable is logged as a warning with the nearest known name. Raises
        :class:`SettingsError` for a value that is not allowed, and for an unknown override.
        """
        environ = os.environ if environ is None else environ
        known = definitions()
        in_use = {key: text for key, text in environ.items() if text}
        values = read_environment(with_new_names(in_use, variable), known)
        for name, value in with_new_names(overrides).items():
            if name not in known:
                # The value of a misspelt name may be the token.
                raise SettingsError(name, HIDDEN, f"heap-exporter has no such setting{nearest(name, known)}")
            values[name] = known[name].read(name, value)
        return cls(**{known[name].attribute: value for name, value in values.items()})


def longest_interval(window_seconds: float) -> float:
    """Return the longest time between samples of which a window has enough, in whole milliseconds as users set it."""
    return math.floor(window_seconds / MIN_SAMPLES_A_WINDOW * 1000) / 1000


def default_snapshot_dir() -> Path:
    """Return the default of the setting ``snapshot_dir``: a folder for each user in the temporary folder."""
    return temporary_folder() / name_for_user()


@functools.cache
def definitions() -> Mapping[str, Definition]:
    """Return the definitions of all settings by name, in their order."""
    kinds = get_type_hints(Settings)
    return MappingProxyType(
        {
            definition.name: definition
            for definition in (
                _definition(field.name, kinds[field.name], field.default, field.metadata["rule"])
                for field in dataclasses.fields(Settings)
            )
        }
    )


def _definition(attribute: str, kind: type, default: Any, rule: Rule) -> Definition:
    name = attribute.removesuffix(rule.quantity.suffix) if rule.quantity else attribute
    return Definition(name, attribute, kind, default, rule)
