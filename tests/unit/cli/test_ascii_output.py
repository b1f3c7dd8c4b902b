"""Signs that an encoding lacks have similar ones, and other characters stay readable."""

from __future__ import annotations

import pytest

from heap_exporter.cli.ascii_output import ERRORS
from heap_exporter.report.sparkline import BARS


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("SESSIONS → dict value → Session", "SESSIONS -> dict value -> Session"),
        ("−3, ±0, –, 2 × 3 …", "-3, +0, -, 2 x 3 ..."),
        ("größe.heap", "gr\\xf6\\xdfe.heap"),
        ("\udcc3", "\\udcc3"),
    ],
)
def test_a_sign_that_ascii_lacks_is_replaced(text: str, printed: str) -> None:
    assert text.encode("ascii", ERRORS).decode() == printed


def test_bars_of_a_sparkline_remain_eight_different_signs() -> None:
    assert len(set(BARS.encode("ascii", ERRORS))) == len(BARS)


def test_utf_8_prints_the_signs_themselves() -> None:
    assert "a → b".encode("utf-8", ERRORS).decode() == "a → b"
