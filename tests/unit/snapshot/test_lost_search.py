"""When lost memory is searched for."""

from __future__ import annotations

from heap_exporter.errors import WalkFailed
from heap_exporter.snapshot.lost_search import LostSearch
from tests.doubles.native_walkers import FakeWalker

HUGE = 1 << 60


def test_the_first_and_the_last_result_are_kept() -> None:
    search = LostSearch(FakeWalker(), is_wanted=True, max_bytes=HUGE)
    first, last = search.search(), search.search()

    assert search.first is first is not None
    assert search.last is last is not first


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
    assert search.last is None
