"""The minima of buckets at many lengths of time, kept as values arrive."""

from hypothesis import given
from hypothesis import strategies as st

from heap_exporter.detection.windows import (
    BUCKETS,
    BUCKETS_A_WINDOW,
    LEVELS,
    MINIMA_KEPT,
    WINDOW_LEVEL,
    BucketMinima,
    ProcessRun,
)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1e9)), min_size=1, max_size=200))
def test_a_bucket_of_any_level_has_the_minimum_of_its_time(series: list[tuple[float, float]]) -> None:
    minima, at = BucketMinima(0.0, BUCKETS_A_WINDOW * 10.0), 0.0
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


def test_the_stretches_are_a_quarter_of_a_window_to_64_windows_long() -> None:
    lengths = [BUCKETS * (1 << level) / BUCKETS_A_WINDOW for level in range(LEVELS)]

    assert (lengths[0], lengths[WINDOW_LEVEL], lengths[-1]) == (0.25, 1.0, 64.0)
    assert BUCKETS <= MINIMA_KEPT


@given(st.integers(1, 2000))
def test_the_whole_of_a_run_is_of_all_its_time_but_the_start(buckets: int) -> None:
    run = ProcessRun(0.0, 900.0)
    for bucket in range(buckets + 1):
        run.add(bucket * 900.0 / BUCKETS_A_WINDOW, 1000.0 * bucket)
    whole = run.whole()

    assert (whole is None) == (buckets < 7)
    if whole is not None:
        assert 0.75 * (buckets - 2) <= whole.windows * BUCKETS_A_WINDOW <= buckets
        assert whole.trend.tau == 1
