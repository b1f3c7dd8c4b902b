"""Progress without rich: one line, which is gone at the end."""

from __future__ import annotations

import io

from heap_exporter.cli.plain_progress import plain_progress


def screen_after(written: str) -> str:
    """Return the line that a terminal shows after some output without line ends."""
    line = ""
    for part in written.split("\r"):
        line = part + line[len(part) :]
    return line


def test_each_stage_replaces_the_one_before_and_the_end_leaves_an_empty_line() -> None:
    stream = io.StringIO()
    with plain_progress("b.heap", stream, 0.0) as report_progress:
        report_progress("reading", 0.5)
        first = screen_after(stream.getvalue())
        report_progress("tracing", 0.0)
        second = screen_after(stream.getvalue())

    assert first == "b.heap: reading 50%"
    assert second.rstrip() == "b.heap: tracing 0%"
    assert screen_after(stream.getvalue()).strip() == ""
    assert stream.getvalue().endswith("\r")


def test_work_that_takes_less_time_shows_nothing() -> None:
    stream = io.StringIO()
    with plain_progress("b.heap", stream, 3600.0) as report_progress:
        report_progress("reading", 0.5)

    assert stream.getvalue() == ""
