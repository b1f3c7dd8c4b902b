"""Versions of CPython with a bug that makes memory grow. A version is a tuple such as ``sys.version_info``."""

from __future__ import annotations

from collections.abc import Sequence

_INTERNED_STRINGS = (3, 12, 0), (3, 12, 6)
"""https://github.com/python/cpython/issues/113993, fixed in 3.12.7 and before 3.13."""

_INCREMENTAL_COLLECTOR = (3, 14, 0), (3, 14, 4)
"""https://github.com/python/cpython/issues/148726, reverted in 3.14.5."""


def keeps_interned_strings(version: Sequence[object]) -> bool:
    """Return whether a version of CPython never frees interned strings, such as names of attributes."""
    return _is_between(version, *_INTERNED_STRINGS)


def collects_in_increments(version: Sequence[object]) -> bool:
    """Return whether a version of CPython frees reference cycles late, with its incremental garbage collector."""
    return _is_between(version, *_INCREMENTAL_COLLECTOR)


def parse_version(text: str) -> tuple[int, ...]:
    """Return a version such as ``"3.14.2"`` as a tuple, without what follows the numbers."""
    numbers = []
    for part in text.split(".")[:3]:
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _is_between(version: Sequence[object], first: tuple[int, ...], last: tuple[int, ...]) -> bool:
    return len(version) >= 3 and first <= tuple(version[:3]) <= last
