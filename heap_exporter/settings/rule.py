"""What a setting allows, and the parser of its values."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heap_exporter.errors import SettingsError
from heap_exporter.runtime.quantities import Quantity
from heap_exporter.runtime.redaction import HIDDEN, Secret, without_secrets
from heap_exporter.runtime.urls import http_url_problem

PREFIX = "HEAP_EXPORTER_"

BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


@dataclass(frozen=True, slots=True)
class Rule:
    """The help text of a setting, its allowed values, and its aliases: variable → factor to the unit of the setting."""

    help: str
    quantity: Quantity | None = None
    min: float = -math.inf
    max: float = math.inf
    is_url: bool = False
    choices: tuple[str, ...] = ()
    aliases: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def check(self, key: str, value: Any, shown: Any) -> None:
        """Raise :class:`SettingsError` unless the setting may have this value, which the user wrote as ``shown``."""
        if isinstance(value, float | int) and not self.min <= value <= self.max:
            raise SettingsError(key, shown, must_be=f"between {self.text(self.min)} and {self.text(self.max)}")
        if self.choices and value not in self.choices:
            raise SettingsError(key, value, must_be=f"{', '.join(self.choices[:-1])} or {self.choices[-1]}")
        if self.is_url and value and (problem := http_url_problem(value)):
            raise SettingsError(key, HIDDEN if isinstance(value, Secret) else without_secrets(value), problem)

    def text(self, value: float) -> str:
        """Return a number as users of the setting write it."""
        return self.quantity.text(value) if self.quantity else f"{value:g}"

    def shown(self, value: Any) -> Any:
        """Return a value of the setting for logs: numbers with their unit, URLs without user, password and query."""
        if self.quantity:
            return self.text(value)
        return without_secrets(value) if type(value) is str else value


@dataclass(frozen=True, slots=True)
class Definition:
    """A setting: the name that users write, its attribute of the settings, its type, its default, and its rule."""

    name: str
    attribute: str
    kind: type
    default: Any
    rule: Rule

    def read(self, key: str, value: Any, factor: float = 1.0) -> Any:
        """Return a value of the setting, a text or a Python value, as its type; numbers are multiplied by ``factor``.

        Raises :class:`SettingsError` with ``key`` for a value that the setting does not allow.
        """
        number = value if factor == 1 else _number(key, value) * factor
        read = self._with_unit(key, number) if self.rule.quantity else _parse(key, number, self.kind)
        self.rule.check(key, read, value)
        return read

    def _with_unit(self, key: str, value: Any) -> float:
        """Return the value of a setting that has a unit."""
        assert self.rule.quantity is not None
        number = self.rule.quantity.read(key, value)
        return round(number) if self.kind is int else number


def _parse(key: str, value: Any, kind: type) -> Any:
    """Return the value of a setting without a unit as ``kind``."""
    if kind is Secret and isinstance(value, Secret):
        return value
    if kind is bool:
        return _boolean(key, value)
    if kind is int:
        return _whole_number(key, value)
    if kind is Path and not isinstance(value, str | os.PathLike):
        raise SettingsError(key, value, must_be="a path")
    if kind in (str, Secret) and not isinstance(value, str):
        raise SettingsError(key, HIDDEN if kind is Secret else value, must_be="a string")
    return kind(value)


def _boolean(key: str, value: Any) -> bool:
    """Return the value of a setting that is true or false. Raises :class:`SettingsError`."""
    found = BOOLEANS.get(str(value).strip().lower())
    if found is None:
        raise SettingsError(key, value, must_be="true or false")
    return found


def _whole_number(key: str, value: Any) -> int:
    """Return the value of a setting that is a count. Raises :class:`SettingsError`."""
    if not (isinstance(value, bool) or (isinstance(value, float) and not value.is_integer())):
        with suppress(TypeError, ValueError):
            return int(value)
    raise SettingsError(key, value, must_be="a whole number")


def _number(key: str, value: Any) -> float:
    """Return the value of an alias that has a unit of its own. Raises :class:`SettingsError`."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise SettingsError(key, value, must_be="a number") from None
