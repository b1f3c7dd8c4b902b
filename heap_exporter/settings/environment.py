"""Reads the environment: the variables of heap-exporter, and those of the Node.js heap monitor as aliases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heap_exporter.errors import SettingsError
from heap_exporter.runtime.logs import warn_once
from heap_exporter.settings.rule import BOOLEANS, PREFIX, Definition, variable

TESTS_PREFIX = "HEAP_EXPORTER_REQUIRE_"
"""Variables with this prefix are for the tests of the project; they are not settings."""

NODE_PREFIX = "HEAP_MONITOR_"
NODE_ENABLED = "HEAP_MONITOR_ENABLED"
"""If this is true, the variables without the prefix count, too. Other programs use such names."""

NODE_THRESHOLD = "HEAP_MONITOR_GROWTH_THRESHOLD"
NODE_MIN_SLOPE_BYTES_PER_HOUR = 60e6
"""The rule of the Node.js monitor has two conditions: a percentage over the window, and 1 MB a minute."""


def read_environment(environ: Mapping[str, str], definitions: Mapping[str, Definition]) -> dict[str, Any]:
    """Return the settings that environment variables and their aliases set, by name.

    Raises :class:`SettingsError`. A variable that is no setting is logged, and so is an alias without the prefix if
    its value cannot be used.
    """
    values: dict[str, Any] = {}
    for name, definition in definitions.items():
        if text := environ.get(variable(name)):
            values[name] = definition.read(variable(name), text)
            continue
        for alias, factor in definition.rule.aliases.items():
            if (text := environ.get(alias)) and (value := _read_alias(environ, definition, alias, factor)) is not None:
                values[name] = value
    if environ.get(NODE_THRESHOLD):
        values.setdefault("min_slope", NODE_MIN_SLOPE_BYTES_PER_HOUR)
    _warn_of_unknown(environ, [variable(name) for name in definitions])
    return values


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for a misspelt setting: the setting of the most similar name, "" if none is similar."""
    import difflib  # only for a mistake

    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _read_alias(environ: Mapping[str, str], definition: Definition, alias: str, factor: float) -> Any:
    """Return the value of a variable of the Node.js monitor, ``None`` if it does not count or does not fit."""
    if alias.startswith(NODE_PREFIX):
        return definition.read(alias, environ[alias], factor)
    if not BOOLEANS.get(environ.get(NODE_ENABLED, "").strip().lower()):
        return None
    try:
        return definition.read(alias, environ[alias], factor)
    except SettingsError as error:
        warn_once(f"heap-exporter ignores a variable: {error}. Set {variable(definition.name)} instead")
        return None


def _warn_of_unknown(environ: Mapping[str, str], known: list[str]) -> None:
    """Log each ``HEAP_EXPORTER_*`` environment variable that is not a setting."""
    for key in environ:
        if key.startswith(PREFIX) and not key.startswith(TESTS_PREFIX) and key not in known:
            warn_once(
                f"heap-exporter ignores the environment variable {key}: there is no such setting{nearest(key, known)}"
            )
