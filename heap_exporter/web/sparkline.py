"""A line without axes, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 600, 96
MAX_POINTS = 300
"""More than the picture has room for; of each stretch the lowest and the highest are kept."""

MIN_RANGE = 0.02
"""Smallest range shown, as a share of the value: below it a steady process would look like a mountain range."""


class Sparkline:
    """The course of ``series``: (seconds, value), oldest first, at least one."""

    def __init__(self, series: Sequence[tuple[float, float]]) -> None:
        values = [value for _, value in series]
        self.lowest, self.highest = min(values), max(values)
        self.seconds = series[-1][0] - series[0][0]
        self._series = _thinned(series)

    def svg(self, label: str) -> str:
        """Return the picture; ``label`` says it in words."""
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in self._places())
        return (
            f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
            f'aria-label="{escape(label)}"><polygon points="0,{HEIGHT} {line} {WIDTH},{HEIGHT}"/>'
            f'<polyline points="{line}"/></svg>'
        )

    def _places(self) -> list[tuple[float, float]]:
        spread = max(self.highest - self.lowest, MIN_RANGE * self.highest, 1.0)
        bottom = (self.highest + self.lowest - spread) / 2
        start = self._series[0][0]
        places = []
        for at, value in self._series:
            x = WIDTH * (at - start) / self.seconds if self.seconds > 0 else 0.0
            places.append((x, HEIGHT - 6 - (HEIGHT - 12) * (value - bottom) / spread))
        if self.seconds <= 0:
            places.append((float(WIDTH), places[-1][1]))
        return places


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
