"""A series of values as a row of bars; the SVG is tested with the page."""

from __future__ import annotations

import pytest

from heap_exporter.report.sparkline import BARS, text_sparkline


@pytest.mark.parametrize(
    ("values", "bars"),
    [([1], BARS[0]), ([100, 100, 100], BARS[0] * 3), ([0, 7, 14], "▁▅█"), ([*range(120)], None), ([100, 101], "▁▄")],
)
def test_a_sparkline_goes_from_lowest_to_highest(values: list[int], bars: str | None) -> None:
    drawn = text_sparkline(values)

    assert bars is None or drawn == bars
    assert len(drawn) == min(len(values), 60)
