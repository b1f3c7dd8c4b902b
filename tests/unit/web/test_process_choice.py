"""Which process a request is about."""

from __future__ import annotations

import pytest

from heap_exporter.fleet.fleet_pages import FleetMember
from heap_exporter.model import State
from heap_exporter.web.fleet_documents import leaks
from heap_exporter.web.problem import Problem
from heap_exporter.web.process_choice import choose, named
from tests.examples.fleets import fleet_member

FLEET = (
    fleet_member(0, "cart", slope=-5.0, rss=9e6),
    fleet_member(0, recent=7.0, rss=1e6),
    fleet_member(1, state=State.SUSPECTED, slope=5.0, rss=2e6),
    fleet_member(2, state=State.CONFIRMED, slope=6.0, rss=3e6, fingerprint="abc"),
)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, ["shop-0"]),
        ({"which": "fastest-growing"}, ["shop-0"]),
        ({"which": "largest"}, ["cart-0"]),
        ({"which": "suspected"}, ["shop-2"]),
        ({"which": "all"}, ["cart-0", "shop-0", "shop-1", "shop-2"]),
        ({"worker": "1"}, ["shop-1"]),
        ({"worker": "cart-0"}, ["cart-0"]),
        ({"pid": "102"}, ["shop-2"]),
    ],
)
def test_a_request_names_processes_or_describes_them(query: dict[str, str], ids: list[str]) -> None:
    assert [each.id for each in choose(query, FLEET, "shop")] == ids


def test_of_processes_that_do_not_grow_the_largest_is_chosen() -> None:
    still = [fleet_member(0, rss=1e6), fleet_member(1, rss=2e6)]

    assert [each.id for each in choose({}, still, "")] == ["shop-1"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"worker": "7"}, 404),
        ({"pid": "7"}, 404),
        ({"pid": "100"}, 404),
        ({"which": "best"}, 400),
        ({"which": "all", "pid": "100"}, 400),
    ],
)
def test_a_request_that_names_no_process_is_refused(query: dict[str, str], status: int) -> None:
    with pytest.raises(Problem) as refused:
        choose(query, FLEET, "shop")

    assert refused.value.status == status


def test_a_number_that_several_services_have_is_one_of_the_own_service() -> None:
    assert named("0", FLEET, "cart").id == "cart-0"
    with pytest.raises(Problem, match="several services have a process 0; the processes are cart-0"):
        named("0", FLEET, "")


def test_processes_that_leak_alike_are_one_leak_with_those_who_confirmed_it() -> None:
    found: tuple[FleetMember, ...] = FLEET

    leak, *others = leaks(found)

    assert not others
    assert (leak["fingerprint"], leak["confirmed_by"], leak["alike"]) == ("abc", ["2"], ["1", "2"])
    assert (leak["processes"], leak["slope_bytes_per_second"]) == (3, 11.0)
