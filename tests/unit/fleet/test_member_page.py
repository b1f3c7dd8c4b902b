"""The page of a member: what is written is what is read, and what is malformed is an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heap_exporter.fleet.member_page import MAX_TEXT_CHARS, OtherFormat, decode_page, encode_page, page_of
from heap_exporter.metrics import METRICS
from tests.examples.fleets import fleet_member
from tests.examples.readings import full_reading

COUNTS = {entry.name: len(entry.labels) for entry in METRICS}


def test_the_page_that_is_read_is_the_one_that_was_written() -> None:
    reading = full_reading()
    values = {entry.name: points for entry in METRICS if (points := tuple(entry.read(reading)))}
    page = page_of(
        17, reading, values, port=9465, interval_seconds=15.0, is_reported=True, recent_slope_bytes_per_second=12.5
    )

    read = decode_page(encode_page(page), COUNTS)

    assert {name: list(points) for name, points in read.values.items()} == {
        name: list(points) for name, points in page.values.items()
    }
    assert (read.pid, read.port, read.verdict, read.recent_slope_bytes_per_second) == (17, 9465, page.verdict, 12.5)


def changed(**members: Any) -> bytes:
    """Return a page in which some members of the JSON object are others."""
    page = fleet_member(0).page
    assert page is not None
    return json.dumps({**json.loads(encode_page(page)), **members}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        changed(pid="17"),
        changed(pid=True),
        changed(port=None),
        changed(interval_seconds=None),
        changed(verdict={}),
        changed(values=[]),
        changed(values={"python_heap_resident_bytes": [[1], ["a label"]]}),
        changed(values={"python_heap_resident_bytes": [["1"]]}),
        changed(values={"python_heap_type_bytes": [[1], [["x"]]]}),
        changed(values={"python_heap_type_bytes": [[1], ["x" * (MAX_TEXT_CHARS + 1)]]}),
        changed(values={"python_heap_type_bytes": [[]]}),
        changed(values={"python_heap_type_bytes": [[1, 2], ["x"]]}),
        changed(values={"python_heap_resident_bytes": [[10**400]]}),
    ],
    ids=range(18),
)
def test_a_malformed_page_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_page(data, COUNTS)


def test_a_page_of_another_format_is_an_error_of_its_own() -> None:
    with pytest.raises(OtherFormat):
        decode_page(changed(format=99), COUNTS)


def test_a_metric_that_this_release_does_not_know_is_left_out() -> None:
    page = decode_page(changed(values={"evil_metric": [[1]], "python_heap_resident_bytes": [[7]]}), COUNTS)

    assert page.values == {"python_heap_resident_bytes": [((), 7.0)]}
