"""Training judges each run at ages that grow by a factor, and each rise to a new height soon after its begin."""

from itertools import pairwise

from heap_exporter.detection.feature_rows import MAX_OF_A_RISE, MAX_STEP_WINDOWS, feature_rows
from heap_exporter.detection.features import NAMES
from heap_exporter.model import Point

MIB = 1 << 20


def ages(*, onset_hours: float = 1e9, hours: float = 12.0) -> list[float]:
    """Return at which ages in windows a process is judged that grows by 60 MiB/h from its onset."""
    series = [
        Point(15.0 * step, int((200 + step % 2 + 60 * max(step / 240 - onset_hours, 0)) * MIB))
        for step in range(int(hours * 240))
    ]
    rows = list(feature_rows(series, 900.0))
    assert {len(row.features) for row in rows} == {len(NAMES)}
    return [row.age_windows for row in rows]


def test_a_calm_run_is_judged_more_and_more_rarely() -> None:
    found = ages()

    assert found == sorted(found)
    assert max(later - earlier for earlier, later in pairwise(found)) <= MAX_STEP_WINDOWS + 0.1
    assert len(found) < 40


def test_a_rise_that_begins_late_is_judged_soon_and_often() -> None:
    calm = [age for age in ages() if 32 < age < 38]
    rising = [age for age in ages(onset_hours=8.0) if 32 < age < 38]

    assert len(rising) >= len(calm) + MAX_OF_A_RISE // 2
