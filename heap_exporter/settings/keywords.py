"""The keywords of ``start()`` and its siblings for type checkers; a test holds them equal to the settings."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Literal, TypedDict

Duration = str | float | timedelta
"""``"15m"``, ``timedelta(minutes=15)``, or a number of seconds."""

Size = str | float
"""``"128MiB"``, or a number of bytes."""

GrowthRate = str | float
"""``"8MiB/h"``, or a number of bytes per hour."""

Percent = str | float
"""``"5%"``, or a number."""


class SettingsKeywords(TypedDict, total=False):
    """The settings by name; :class:`~heap_exporter.settings.Settings` describes each."""

    enabled: bool
    autostart: bool
    autostart_delay: Duration
    service: str
    host: str
    port: int
    http: bool
    hub: Literal["auto", "never"]
    token: str
    interval: Duration
    census_interval: Duration
    census_cpu: Percent
    window: Duration
    growth_threshold: Percent
    min_slope: GrowthRate
    max_samples: int
    snapshot_dir: str | os.PathLike[str]
    snapshot_keep: int
    snapshot_max_size: Size
    free_disk: Size
    snapshot_on_leak: bool
    snapshot_cooldown: Duration
    snapshots_a_day: int
    near_limit: Percent
    record: bool
    watch_exit: bool
    upload_url: str
    upload_remove_local: bool
    alert_webhook_url: str
    alert_webhook_format: Literal["json", "slack", "alertmanager"]
    snapshot_keys: bool
    walker: Literal["auto", "native", "portable"]
    walk_timeout: Duration
    compare_snapshots: bool
    allocations: Literal["suspected", "always", "off"]
    allocations_interval: Size
    allocations_cpu: Percent
    lost: bool
    lost_max: Size
    otlp_endpoint: str
