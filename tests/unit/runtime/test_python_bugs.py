"""Which versions of CPython have a bug that makes memory grow."""

from __future__ import annotations

import pytest

from heap_exporter.probes.allocators import read_interned_strings
from heap_exporter.runtime.python_bugs import collects_in_increments, keeps_interned_strings, parse_version


@pytest.mark.parametrize(
    ("text", "keeps_strings", "is_incremental"),
    [
        ("3.11.9", False, False),
        ("3.12.0", True, False),
        ("3.12.6", True, False),
        ("3.12.7", False, False),
        ("3.13.0", False, False),
        ("3.14.0", False, True),
        ("3.14.4", False, True),
        ("3.14.5", False, False),
        ("3.15.0", False, False),
        ("", False, False),
        ("3.14.0rc1", False, False),
    ],
)
def test_a_bug_has_a_first_and_a_last_version(text: str, keeps_strings: bool, is_incremental: bool) -> None:
    version = parse_version(text)

    assert keeps_interned_strings(version) is keeps_strings
    assert collects_in_increments(version) is is_incremental


def test_a_version_of_sys_is_compared_by_its_numbers() -> None:
    assert keeps_interned_strings((3, 12, 1, "final", 0))
    assert not keeps_interned_strings((3, 12, 7, "final", 0))


def test_interned_strings_are_not_counted_where_python_frees_them() -> None:
    assert read_interned_strings((3, 12, 7, "final", 0)) is None
