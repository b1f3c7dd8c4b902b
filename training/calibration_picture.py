"""Draws how often series leaked to which a probability was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SIZE, LEFT, TOP, BOTTOM = 300, 60, 20, 50
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MIN_RADIUS, MAX_RADIUS = 2.5, 9.0

HEAD = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + SIZE + 20} {TOP + SIZE + BOTTOM}"
 font-family="sans-serif" font-size="12" role="img" aria-label="Calibration of the confidence">
<rect width="100%" height="100%" fill="white"/>
<rect x="{LEFT}" y="{TOP}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#999"/>
<text x="{LEFT + SIZE / 2:g}" y="{TOP + SIZE + 38}" text-anchor="middle">predicted probability</text>
<text transform="translate(16 {TOP + SIZE / 2:g}) rotate(-90)" text-anchor="middle">share that leaks</text>
"""


class Bin(NamedTuple):
    """The probabilities of a tenth: how many series, mean prediction, share of leaks; all series weigh the same."""

    series: int
    predicted: float
    observed: float


def picture(found: Sequence[Bin]) -> str:
    """Return a drawing (SVG) of the observed over the predicted probability; a larger dot is of more series."""
    most = max(one.series for one in found)
    parts = [_line(), *map(_tick, TICKS), *[_dot(one, most) for one in found if one.series]]
    return HEAD + "\n".join(parts) + "\n</svg>\n"


def _line() -> str:
    return f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#999" stroke-dasharray="4"/>'


def _tick(at: float) -> str:
    return (
        f'<text x="{_x(at):g}" y="{_y(0) + 16}" text-anchor="middle">{at:.1f}</text>'
        f'<text x="{LEFT - 6}" y="{_y(at) + 4:g}" text-anchor="end">{at:.1f}</text>'
    )


def _dot(one: Bin, most: int) -> str:
    radius = max(MAX_RADIUS * (one.series / most) ** 0.5, MIN_RADIUS)
    title = f"{one.series} series: predicted {one.predicted:.2f}, observed {one.observed:.2f}"
    place = f'cx="{_x(one.predicted):.1f}" cy="{_y(one.observed):.1f}" r="{radius:.1f}"'
    return f'<circle {place} fill="#1f77b4"><title>{title}</title></circle>'


def _x(probability: float) -> float:
    return LEFT + SIZE * probability


def _y(probability: float) -> float:
    return TOP + SIZE * (1 - probability)
