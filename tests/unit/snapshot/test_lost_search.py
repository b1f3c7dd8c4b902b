"""When lost memory is searched for."""

from __future__ import annotations

from heap_exporter.errors import WalkFailed
from heap_exporter.model import LostGrowth
from heap_exporter.snapshot.lost_search import LostSearch
from tests.doubles.lost_memory import lost_memory, lost_objects
from tests.doubles.native_walkers import FakeWalker

HUGE = 1 << 60


def test_what_was_lost_is_known_from_the_second_search_on() -> None:
    walker = FakeWalker()
    search = LostSearch(walker, is_wanted=True, max_bytes=HUGE)
    assert search.growth() is None

    walker.found_lost = lost_memory(lost_objects("tuple", 10))
    search.search()
    assert search.growth() is None

    walker.found_lost = last = lost_memory(lost_objects("tuple", 25), lost_objects("bytes", 2), taken_at=1.8e9)
    search.search()
    assert search.growth() == LostGrowth(1.7e9, (lost_objects("tuple", 15), lost_objects("bytes", 2)), last)


def test_nothing_is_searched_if_that_is_not_wanted_or_the_process_is_too_large() -> None:
    walker = FakeWalker()

    assert LostSearch(walker, is_wanted=False, max_bytes=HUGE).search() is None
    assert LostSearch(walker, is_wanted=True, max_bytes=1).search() is None
    assert walker.walk_count == 0


def test_a_search_that_fails_is_no_error_of_the_snapshot() -> None:
    walker = FakeWalker()
    walker.failure = WalkFailed("hung", "the clone did not finish")
    search = LostSearch(walker, is_wanted=True, max_bytes=HUGE)

    assert search.search() is None
    assert search.growth() is None
