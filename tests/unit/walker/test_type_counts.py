"""A census has one count for each type, and one for a large family of types whose names are made at run time."""

from heap_exporter.model import TypeCount
from heap_exporter.walker.fallback_walker import choose_walker
from heap_exporter.walker.type_counts import type_counts


def test_types_with_one_name_are_summed_and_the_largest_comes_first() -> None:
    rows = [("shop.Cart", 1, 100), ("shop.Item", 5, 90), ("shop.Cart", 2, 200)]

    assert type_counts(rows) == (TypeCount("shop.Cart", 3, 300), TypeCount("shop.Item", 5, 90))


def test_thousands_of_types_made_at_run_time_are_one() -> None:
    payloads = [(f"shop.Payload_{number:032x}", 1, 64) for number in range(14_000)]

    assert type_counts([("list", 9, 900), *payloads, ("shop.Vector2", 1, 8), ("shop.Vector3", 1, 8)]) == (
        TypeCount("shop.Payload_…", 14_000, 14_000 * 64),
        TypeCount("list", 9, 900),
        TypeCount("shop.Vector2", 1, 8),
        TypeCount("shop.Vector3", 1, 8),
    )


def test_the_walker_counts_a_family_as_one_type() -> None:
    held = [type(f"Answer_{number}", (), {"__module__": "shop", "__slots__": ("x",)})() for number in range(50)]

    counts = {count.type_name: count.objects for count in choose_walker("portable").census().types}

    assert counts["shop.Answer_…"] == len(held)
