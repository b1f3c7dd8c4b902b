"""The types that grew within the window."""

from heap_exporter.detection.growing_types import TypeHistory
from heap_exporter.model import Census, GrowingType, TypeCount

KIB = 1024


def census(at: float, **sizes: int) -> Census:
    types = tuple(TypeCount(name, size // KIB, size) for name, size in sizes.items())
    return Census(at, 0.0, 0.0, 0.0, "portable", types, ())


def test_without_a_census_no_type_grew() -> None:
    assert TypeHistory(900).growing_types() == ()


def test_the_largest_gain_comes_first() -> None:
    history = TypeHistory(900)
    history.add(census(0, a=100 * KIB, b=100 * KIB, c=100 * KIB))
    history.add(census(60, a=120 * KIB, b=300 * KIB, c=100 * KIB))

    assert history.growing_types() == (GrowingType("b", 200, 200 * KIB), GrowingType("a", 20, 20 * KIB))


def test_a_new_type_gained_all_of_its_objects() -> None:
    history = TypeHistory(900)
    history.add(census(0))
    history.add(census(60, new=50 * KIB))

    assert history.growing_types() == (GrowingType("new", 50, 50 * KIB),)


def test_growth_older_than_the_window_is_forgotten() -> None:
    history = TypeHistory(900)
    history.add(census(0, a=100 * KIB))
    for minute in range(1, 40):
        history.add(census(minute * 60, a=900 * KIB))

    assert history.growing_types() == ()


def test_small_types_are_left_out() -> None:
    history = TypeHistory(900)
    history.add(census(0, a=1 * KIB))
    history.add(census(60, a=9 * KIB))

    assert history.growing_types() == ()
