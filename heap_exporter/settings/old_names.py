"""The names that settings and options had before they lost their units. They work in this release, with a warning.

To end that, delete this module and its two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heap_exporter.runtime.logs import warn_once

OLD_SETTINGS = {
    "interval_seconds": "interval",
    "census_interval_seconds": "census_interval",
    "census_cpu_percent": "census_cpu",
    "window_seconds": "window",
    "growth_threshold_percent": "growth_threshold",
    "min_slope_bytes_per_hour": "min_slope",
    "snapshot_max_bytes": "snapshot_max_size",
    "free_disk_bytes": "free_disk",
    "snapshot_cooldown_seconds": "snapshot_cooldown",
    "near_limit_percent": "near_limit",
    "walk_timeout_seconds": "walk_timeout",
}

OLD_OPTIONS = {
    "replay": {"--growth-percent": "--growth-threshold"},
    "rules": {"--sample-interval": "--interval"},
}


def with_new_names(values: Mapping[str, Any], spelled: Callable[[str], str] = str) -> dict[str, Any]:
    """Return settings under their new names; ``spelled`` makes keys of the names. A value with the new name wins."""
    renamed = dict(values)
    for old_name, new_name in OLD_SETTINGS.items():
        old, new = spelled(old_name), spelled(new_name)
        if old in renamed:
            _warn(old, new, is_new_set=new in renamed)
            value = renamed.pop(old)
            renamed.setdefault(new, value)
    return renamed


def with_new_options(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with new names of options. An option with the new name wins."""
    renamed = list(words)
    for old, new in OLD_OPTIONS.get(renamed[0] if renamed else "", {}).items():
        for place in reversed(range(len(renamed))):
            name, _, value = renamed[place].partition("=")
            if name != old:
                continue
            is_new_set = any(word.partition("=")[0] == new for word in renamed)
            _warn(old, new, is_new_set=is_new_set)
            if is_new_set:
                del renamed[place : place + (1 if value else 2)]
            else:
                renamed[place] = f"{new}={value}" if value else new
    return renamed


def _warn(old: str, new: str, *, is_new_set: bool) -> None:
    if is_new_set:
        warn_once(f"heap-exporter ignores {old}, the old name of {new}, because both are set")
    else:
        warn_once(f"heap-exporter has a new name for {old}: {new}. The old name works in this release only")
