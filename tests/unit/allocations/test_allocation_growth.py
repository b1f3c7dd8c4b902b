"""Growth by line is the difference of two profiles, with its error."""

from __future__ import annotations

import pytest

from heap_exporter.allocations.allocation_growth import growth_by_line
from tests.doubles.allocation_samplers import CREATE, DECODE, HANDLE, profile, site


def test_stacks_of_one_line_are_added_and_the_largest_comes_first() -> None:
    grown = growth_by_line(
        profile(
            site(1, CREATE, live=300.0, error=30.0),
            site(2, CREATE, HANDLE, live=400.0, error=40.0),
            site(3, HANDLE, live=200.0),
        )
    )

    assert [(each.line, each.bytes, each.plus_minus_bytes, each.objects) for each in grown] == [
        (CREATE, 700.0, pytest.approx(50.0), 7.0),
        (HANDLE, 200.0, 0.0, 2.0),
    ]


def test_the_caller_is_the_innermost_line_of_the_application() -> None:
    grown = growth_by_line(profile(site(1, DECODE, CREATE, HANDLE, live=300.0), site(2, CREATE, HANDLE, live=200.0)))

    assert [(each.line, each.caller) for each in grown] == [(DECODE, CREATE), (CREATE, None)]


def test_the_profile_before_is_subtracted() -> None:
    before = profile(site(1, CREATE, live=300.0, error=3.0), site(2, HANDLE, live=500.0))
    now = profile(site(1, CREATE, live=900.0, error=4.0), site(2, HANDLE, live=400.0))

    (grown,) = growth_by_line(now, before)

    assert (grown.line, grown.bytes) == (CREATE, 600.0)
    assert grown.plus_minus_bytes == pytest.approx(5.0)


def test_a_profile_of_earlier_hooks_is_not_subtracted() -> None:
    before = profile(site(1, HANDLE, live=300.0))
    now = profile(site(1, CREATE, live=300.0), started_at=2.0)

    (grown,) = growth_by_line(now, before)

    assert (grown.line, grown.bytes) == (CREATE, 300.0)


def test_growth_within_its_error_and_stacks_without_python_code_are_left_out() -> None:
    assert growth_by_line(profile(site(1, CREATE, live=300.0, error=300.0), site(0, live=9000.0))) == ()


def test_no_more_lines_than_the_limit_are_returned() -> None:
    assert len(growth_by_line(profile(site(1, CREATE, live=3.0), site(2, HANDLE, live=2.0)), limit=1)) == 1
