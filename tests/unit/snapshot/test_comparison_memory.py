"""A comparison starts where twice its memory is free, and ends where less than one and a half times of it is left."""

from __future__ import annotations

import pytest

from heap_exporter.snapshot.comparison_memory import limit_bytes, may_start, must_end, predicted_bytes

MIB = 1024**2
NEEDED = 800 * MIB


def test_ten_million_objects_need_less_than_a_gibibyte() -> None:
    assert 800 * MIB < predicted_bytes(10_000_000) < 1000 * MIB


@pytest.mark.parametrize(("free_mib", "starts"), [(1599, False), (1600, True), (-1, False)])
def test_it_starts_if_it_needs_at_most_half_of_what_is_free(free_mib: int, starts: bool) -> None:
    assert may_start(free_mib * MIB, NEEDED) is starts


@pytest.mark.parametrize(
    ("free_mib", "used_mib", "ends"),
    [
        (1600, 20, False),
        (800, 800, False),  # it has taken its half, and nothing else has changed
        (1300, 20, False),
        (1100, 20, True),  # others took 500 MiB meanwhile
        (390, 800, True),
        (410, 800, False),
        (400, 1000, True),  # it needs more than was predicted
    ],
)
def test_it_ends_if_others_take_a_quarter_of_what_was_free(free_mib: int, used_mib: int, ends: bool) -> None:
    assert must_end(free_mib * MIB, used_mib * MIB, NEEDED) is ends


def test_a_comparison_that_may_start_does_not_have_to_end_at_once() -> None:
    for needed in (1, 64 * MIB, NEEDED):
        assert may_start(2 * needed, needed)
        assert not must_end(2 * needed, 0, needed)


def test_the_limit_is_half_of_what_is_free_or_twice_the_prediction() -> None:
    assert limit_bytes(2000 * MIB, NEEDED) == 1000 * MIB
    assert limit_bytes(None, NEEDED) == 1600 * MIB
