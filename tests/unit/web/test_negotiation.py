"""What a client accepts, and which part of a file it wants."""

import pytest

from heap_exporter.web.byte_range import requested_part
from heap_exporter.web.http_date import http_date
from heap_exporter.web.negotiation import accepts_gzip, prefers_json
from heap_exporter.web.problem import Problem
from heap_exporter.web.request import Request

VERSION = http_date(1.7e9)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True), ("deflate, GZIP;q=0.5", True), ("*", True), ("br, *;q=0.1", True), ("gzip;q=0.0, *", False),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=much", False), ("xgzip", False),
    ],
)  # fmt: skip  # a list of headers
def test_gzip_is_used_for_clients_that_accept_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) == accepted


@pytest.mark.parametrize(
    ("header", "json"),
    [
        ("application/json", True), ("application/json, */*", True), ("Application/JSON;q=0.9, text/html;q=0.8", True),
        ("application/*", True), ("", False), ("*/*", False), ("text/html, application/json", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json;q=0.5, text/html", False), ("image/png", False),
    ],
)  # fmt: skip  # a list of headers
def test_the_status_page_is_json_for_clients_that_prefer_it(header: str, json: bool) -> None:
    assert prefers_json(header) == json


def part(**headers: str) -> range:
    environ = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return requested_part(Request({"REQUEST_METHOD": "GET", **environ}), 1000, VERSION)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-99", range(100)), ("bytes=900-", range(900, 1000)), ("bytes=-100", range(900, 1000)),
        ("bytes=500-9999", range(500, 1000)), ("bytes=-5000", range(1000)), ("bytes=0-0", range(1)),
        ("", range(1000)), ("lines=1-2", range(1000)), ("bytes=0-1,5-6", range(1000)), ("bytes=a-b", range(1000)),
    ],
)  # fmt: skip  # a list of headers
def test_a_range_of_bytes_is_the_part_that_a_client_wants(header: str, expected: range) -> None:
    assert part(range=header) == expected


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=5-2", "bytes=-0"])
def test_bytes_that_the_file_does_not_have_are_a_problem_with_its_size(header: str) -> None:
    with pytest.raises(Problem) as refused:
        part(range=header)

    assert refused.value.status == 416
    assert refused.value.headers == [("Content-Range", "bytes */1000")]


def test_the_rest_of_another_version_of_the_file_is_not_sent() -> None:
    assert part(range="bytes=900-", if_range=VERSION) == range(900, 1000)
    assert part(range="bytes=900-", if_range=http_date(1.8e9)) == range(1000)


def test_a_date_is_that_of_http_in_any_year() -> None:
    assert http_date(1_795_838_320.9) == "Sat, 28 Nov 2026 03:58:40 GMT"
    assert http_date(1e15).endswith("9999 23:59:59 GMT")
