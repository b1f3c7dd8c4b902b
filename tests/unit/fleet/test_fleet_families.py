"""The sums of a fleet."""

from __future__ import annotations

import pytest

from heap_exporter.fleet.fleet_families import FleetState, fleet_families
from heap_exporter.fleet.fleet_pages import FleetMember
from heap_exporter.metrics import LabelledValue
from heap_exporter.model import State
from tests.examples.fleets import NOW, fleet_member, member

MIB = 1024.0**2


def read(name: str, *members: FleetMember, now: float = NOW) -> list[LabelledValue]:
    """Return the samples of a metric of a fleet."""
    found = {family.name: list(family.points) for family in fleet_families(FleetState(members, now))}
    return found.get(name, [])


@pytest.mark.parametrize("count", [1, 4, 16])
def test_time_to_exhaustion_is_the_headroom_divided_by_the_growth_of_all_together(count: int) -> None:
    growing = [fleet_member(number, slope=MIB, headroom=160 * MIB, group=7) for number in range(count)]

    found = read("python_heap_fleet_time_to_exhaustion_seconds", *growing)

    assert found == [(("shop",), 160.0 / count)]


def test_a_process_that_shrinks_adds_no_time_and_one_of_another_cgroup_takes_none_away() -> None:
    found = read(
        "python_heap_fleet_time_to_exhaustion_seconds",
        fleet_member(0, slope=MIB, headroom=100 * MIB, group=7),
        fleet_member(1, slope=-MIB, headroom=100 * MIB, group=7),
        fleet_member(0, "other", slope=MIB, headroom=10 * MIB, group=8),
    )

    assert found == [(("other",), 10.0), (("shop",), 100.0)]


def test_without_growth_or_without_a_limit_nothing_is_exhausted() -> None:
    for still in (fleet_member(0, slope=0.0, headroom=MIB, group=7), fleet_member(0, slope=MIB)):
        assert read("python_heap_fleet_time_to_exhaustion_seconds", still) == []


def test_the_sizes_of_a_type_are_added_up_for_each_service_with_several_processes() -> None:
    members = [
        fleet_member(number, service, values={"python_heap_type_bytes": [(("dict",), 10.0), (("list",), 1.0)]})
        for service, number in (("cart", 0), ("cart", 1), ("shop", 0), ("shop", 1), ("bank", 0))
    ]

    found = dict(read("python_heap_fleet_type_bytes", *members))

    assert found == {("cart", "dict"): 20, ("cart", "list"): 2, ("shop", "dict"): 20, ("shop", "list"): 2}


def test_the_leaking_processes_are_counted_by_state() -> None:
    members = [fleet_member(0, state=State.CONFIRMED), fleet_member(1, state=State.SUSPECTED), fleet_member(2)]

    assert dict(read("python_heap_fleet_leaking_processes", *members)) == {
        ("shop", "suspected"): 1,
        ("shop", "confirmed"): 1,
    }


def test_a_process_whose_page_is_old_is_not_up_and_one_without_a_page_is_only_counted() -> None:
    members = [fleet_member(0), FleetMember(member(1), None)]

    assert read("heap_exporter_process_up", *members) == [(("shop", "0"), 1.0)]
    assert read("heap_exporter_process_up", *members, now=NOW + 46) == [(("shop", "0"), 0.0)]
    assert read("heap_exporter_processes", *members) == [(("shop",), 2.0)]
