import dataclasses
from pathlib import Path

import pytest

from heap_exporter.model import (
    Census,
    Reading,
    Reason,
    ReasonKind,
    SnapshotInfo,
    State,
    TypeCount,
    Verdict,
    WalkerChoice,
)
from heap_exporter.report.sparkline import HEIGHT, MAX_POINTS, WIDTH, Sparkline
from heap_exporter.web import words
from heap_exporter.web.page import CONTENT_SECURITY_POLICY, HEADLINES, View, render
from tests.doubles.web_source import Process
from tests.examples.readings import GREW, GREW_TEXT, full_reading

EVIL = "</script><img src=x onerror=alert(1)>\"'&$root"


def test_no_text_of_the_process_becomes_markup(tmp_path: Path) -> None:
    reading = full_reading()
    census = Census(1.7e9, 0.1, 0.1, 0.1, "portable", (TypeCount(EVIL, 1, 1),), ())
    verdict = Verdict(
        1.7e9,
        State.SUSPECTED,
        (Reason(ReasonKind.TYPE_GREW, {"type_name": EVIL, "objects": 1, "gained_bytes": 1}),),
        900.0,
    )
    snapshot = SnapshotInfo("20261122T070000Z-1-0000", tmp_path, 1, 1.7e9, 0.1, 0.1, EVIL, "portable", "graph", 1)

    page = render(
        View(dataclasses.replace(reading, census=census, verdict=verdict), (), (snapshot,), None, f"/{EVIL}", 1)
    )

    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 1
    assert page.count("&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;$root") >= 4


@pytest.mark.parametrize("state", State)
def test_the_verdict_is_said_in_words(state: State) -> None:
    reading = dataclasses.replace(full_reading(), verdict=Verdict(1.7e9, state, (GREW,), 900.0))

    page = render(View(reading, (), (), None, "", 1))

    assert HEADLINES[state] in page
    assert f'data-state="{state.value}"' in page
    assert GREW_TEXT in page


def test_a_process_of_which_nothing_is_known_yet_has_a_page() -> None:
    page = render(View(Reading(started_at=1.7e9, process_started_at=None), (), (), None, "", 1))

    assert "Getting to know this process" in page
    assert "not read yet" in page
    assert "None yet." in page


def test_the_page_names_no_other_host(tmp_path: Path) -> None:
    process = Process(tmp_path)
    page = render(View(process.reading(), process.history.points(), (), None, "", 1))

    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "style=" not in page
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_which_walker_walks_and_why_is_a_sentence() -> None:
    reading = dataclasses.replace(full_reading(), walker=WalkerChoice("portable", "platform", "this is Plan 9"))

    page = render(View(reading, (), (), None, "", 1))

    assert "The portable walker walks the heap: the native one needs Linux (this is Plan 9)." in page
    assert "Counted in this process in 250 ms, for which the process stood still for 4.5 ms at most;" in page
    assert "counted anew every 60 s." in page


def test_a_census_of_a_clone_is_said_to_be_one() -> None:
    census = Census(1.7e9, 0.25, 0.01, 0.2, "native", (), (), in_process=False)

    assert words.census(census, 600).startswith("Counted in a clone of the process in 250 ms")


def test_every_reason_for_a_walker_has_its_words() -> None:
    reasons = {"best", "setting", "no_extension", "platform", "free_threaded", "layout", "failing"}

    assert set(words.WHY) == reasons
    assert words.walker(WalkerChoice("native", "best")) == (
        "The native walker walks the heap: it sees every object and leaves the process running."
    )


def test_a_snapshot_that_is_only_a_census_says_why(tmp_path: Path) -> None:
    info = SnapshotInfo(
        "20261122T070000Z-1-0000", tmp_path, 2048, 1.7e9, 0.1, 0.004, "curl", "native", "census", 48_210
    )
    degraded = dataclasses.replace(info, note="only a census, no graph: 3 MiB are left")

    page = render(View(full_reading(), (), (degraded,), None, "", 1))

    assert "census of 48.2 k objects · 2.0 KiB" in page
    assert "longest pause 4.0 ms · only a census, no graph: 3 MiB are left" in page


@pytest.mark.parametrize("count", [1, 2, 299, 300, 301, 1440, 100_000])
def test_a_sparkline_keeps_its_ends_and_peaks_within_its_frame(count: int) -> None:
    series = [(float(at), 1000.0 + at % 7) for at in range(count)]
    series[count // 2] = (count // 2, 5000.0)

    picture = Sparkline(series).svg("a line")

    points = [tuple(map(float, pair.split(","))) for pair in picture.rsplit('points="', 1)[1].split('"')[0].split()]
    assert points[0][0] == 0
    assert points[-1][0] == WIDTH
    assert len(points) <= MAX_POINTS + 2
    assert all(0 <= y <= HEIGHT for _, y in points)
    assert count < 3 or min(y for _, y in points) == 6


def test_a_steady_process_is_not_drawn_as_mountains() -> None:
    picture = Sparkline([(float(at), 1e8 + at % 2 * 1e4) for at in range(100)]).svg("")

    heights = {float(pair.split(",")[1]) for pair in picture.rsplit('points="', 1)[1].split('"')[0].split()}
    assert max(heights) - min(heights) < 1
