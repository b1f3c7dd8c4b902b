"""The minima of buckets at many lengths of time, kept as values arrive."""

from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.detection.windows import BUCKETS_A_WINDOW, LENGTHS, LEVELS, MINIMA_KEPT, BucketMinima


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1e9)), min_size=1, max_size=200))
def test_a_bucket_of_any_level_has_the_minimum_of_its_time(series: list[tuple[float, float]]) -> None:
    minima, at = BucketMinima(0.0, 16.0 * 10), 0.0
    seen: list[tuple[float, float]] = []
    for gap, size in series:
        at += gap
        seen.append((at, size))
        minima.add(at, size)

    for level in range(3):
        for found in minima.of(level, MINIMA_KEPT):
            inside = [size for then, size in seen if int(then / 10) >> level == found.bucket]
            assert found.bytes == min(inside)


def test_a_gap_of_any_length_leaves_no_minima() -> None:
    minima = BucketMinima(0.0, 900.0)
    minima.add(0.0, 1.0)
    minima.add(1e15, 2.0)
    minima.add(2e15, 3.0)

    assert [minimum.bytes for minimum in minima.of(0, MINIMA_KEPT)] == [2.0]


def test_as_many_minima_are_kept_as_the_longest_length_of_a_level_needs() -> None:
    assert max(length.buckets for lengths in LENGTHS for length in lengths) <= MINIMA_KEPT
    assert len(LENGTHS) == LEVELS
    assert LENGTHS[0][0].windows == 1.0
    assert LENGTHS[0][0].buckets == BUCKETS_A_WINDOW
