"""Draws a series of values as a small picture without axes: a row of block characters, or inline SVG."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape

BARS = "▁▂▃▄▅▆▇█"
MAX_BARS = 60

WIDTH, HEIGHT = 600, 96
MARGIN = 6

MAX_POINTS = 300
"""Points of the SVG, at most; of each stretch of a longer series it shows the lowest and the highest."""

MIN_RANGE = 0.02
"""Smallest range shown, as a share of the highest value: with a smaller one, noise would fill the picture."""


def text_sparkline(values: Sequence[float], max_bars: int = MAX_BARS) -> str:
    """Return one or more values as text: at most ``max_bars`` bars, each the highest value of its part."""
    columns = min(len(values), max_bars)
    edges = [index * len(values) // columns for index in range(columns + 1)]
    highest = [max(values[begin:end]) for begin, end in itertools.pairwise(edges)]
    levels = _levels(highest, bottom=min(highest))
    return "".join(BARS[min(int(level * len(BARS)), len(BARS) - 1)] for level in levels)


class Sparkline:
    """A line through ``series``: (seconds, value), oldest first, at least one."""

    def __init__(self, series: Sequence[tuple[float, float]]) -> None:
        values = [value for _, value in series]
        self.lowest, self.highest = min(values), max(values)
        self.seconds = series[-1][0] - series[0][0]
        self._series = _thinned(series)

    def svg(self, label: str) -> str:
        """Return the picture as SVG; ``label`` is its description for screen readers."""
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in self._places())
        return (
            f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
            f'aria-label="{escape(label)}"><polygon points="0,{HEIGHT} {line} {WIDTH},{HEIGHT}"/>'
            f'<polyline points="{line}"/></svg>'
        )

    def _places(self) -> list[tuple[float, float]]:
        middle = (self.highest + self.lowest) / 2
        levels = _levels([value for _, value in self._series], middle - _span(self.lowest, self.highest) / 2)
        start = self._series[0][0]
        stretch = WIDTH / self.seconds if self.seconds > 0 else 0.0
        places = [
            (stretch * (at - start), HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * level)
            for (at, _), level in zip(self._series, levels, strict=True)
        ]
        if self.seconds <= 0:
            places.append((float(WIDTH), places[-1][1]))
        return places


def _levels(values: Sequence[float], bottom: float) -> list[float]:
    """Return the height of each value of the sparkline above ``bottom`` as a share of the range shown."""
    span = _span(min(values), max(values))
    return [(value - bottom) / span for value in values]


def _span(lowest: float, highest: float) -> float:
    return max(highest - lowest, MIN_RANGE * highest, 1.0)


def _thinned(series: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    stretch = -(-len(series) // (MAX_POINTS // 2))
    if stretch <= 2:
        return series
    kept = []
    for begin in range(0, len(series), stretch):
        points = series[begin : begin + stretch]
        extremes = {min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])}
        kept.extend(sorted(extremes))
    return kept if kept[-1] == series[-1] else [*kept, series[-1]]
