"""The ``repr()`` of frozen values: short, whatever they hold. A console, a log and a debugger show it whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from enum import Enum
from pathlib import PurePath

MAX_CHARACTERS = 280
MAX_TEXT = 40
"""Characters of a text before its middle is left out."""


def short_repr(value: object) -> str:
    """Return the class and the fields of a dataclass or a named tuple in fewer than 300 characters.

    Assign it to ``__repr__`` in the body of the class. Long texts are abbreviated, and collections are shown as their
    number of items. Fields that are ``None`` or empty, and those that do not fit, are left out.
    """
    names = value._fields if hasattr(value, "_fields") else [field.name for field in dataclasses.fields(value)]  # type: ignore[arg-type]
    fields = ((name, getattr(value, name)) for name in names)
    return repr_of_fields(value, ((name, each) for name, each in fields if not _is_empty(each)))


def repr_of_fields(value: object, fields: Iterable[tuple[str, object]]) -> str:
    """Return the class of a value and these fields in fewer than 300 characters."""
    shown = f"{type(value).__name__}("
    separator = ""
    for name, each in fields:
        part = f"{separator}{name}={_short(each)}"
        if len(shown) + len(part) > MAX_CHARACTERS:
            return f"{shown}{separator}…)"
        shown, separator = shown + part, ", "
    return f"{shown})"


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, Collection) and not value)


def _short(value: object) -> str:
    if isinstance(value, Enum):
        return repr(value.value)
    if isinstance(value, str | PurePath):
        text = str(value)
        kept = MAX_TEXT // 2
        return repr(text if len(text) <= MAX_TEXT else f"{text[:kept]}…{text[-kept:]}")
    if isinstance(value, Collection) and not hasattr(value, "_fields"):
        return f"<{len(value):,} {'item' if len(value) == 1 else 'items'}>"
    if isinstance(value, int | float):
        return repr(value)
    return f"{type(value).__name__}(…)"
