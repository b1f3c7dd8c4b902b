import dataclasses
from pathlib import Path

import pytest

from heap_exporter.model import (
    Census,
    GrowingType,
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
from heap_exporter.report.verdict_text import HEADLINES
from heap_exporter.snapshot.comparison import Comparison
from heap_exporter.web.fleet_documents import processes
from heap_exporter.web.page import CONTENT_SECURITY_POLICY, WALKER_REASONS, View, census_text, render, walker_text
from heap_exporter.web.shown_snapshots import ShownSnapshots
from tests.doubles.web_source import Process
from tests.examples.alerts import PROBLEM, full_alert
from tests.examples.fleets import fleet_member
from tests.examples.readings import GREW, GREW_TEXT, full_reading

NONE_SHOWN = ShownSnapshots((), "shop")
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
        View(
            dataclasses.replace(reading, census=census, verdict=verdict),
            (),
            ShownSnapshots((snapshot,), EVIL),
            (),
            None,
            f"/{EVIL}",
            1,
        )
    )

    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 1
    assert page.count("&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;$root") >= 4


@pytest.mark.parametrize("state", State)
def test_the_page_shows_the_verdict_and_its_reasons(state: State) -> None:
    reading = dataclasses.replace(full_reading(), verdict=Verdict(1.7e9, state, (GREW,), 900.0))

    page = render(View(reading, (), NONE_SHOWN, (), None, "", 1))

    assert HEADLINES[state] in page
    assert f'data-state="{state.value}"' in page
    assert GREW_TEXT in page


def test_headline_table_and_advice_name_the_same_type_and_holder() -> None:
    alert = full_alert("shop.models.Session")
    larger = GrowingType("dict", 99_000, 900_000_000)
    verdict = dataclasses.replace(alert.verdict, growing_types=(larger, *alert.verdict.growing_types))
    types = (*(TypeCount(f"builtin{number}", 9, 10**9) for number in range(40)), TypeCount("shop.models.Session", 1, 1))
    census = Census(1.7e9, 0.1, 0.1, 0.1, "native", types, ())

    page = render(
        View(
            dataclasses.replace(full_reading(), verdict=verdict, alert=alert, census=census),
            (),
            NONE_SHOWN,
            (),
            None,
            "",
            1,
        )
    )

    assert '<h1 id="headline">A leak is confirmed in Python objects</h1>' in page
    assert "<p><code>Session</code> objects are accumulating: " in page
    assert "<p>Held by <code>shop.sessions.SESSIONS</code> → dict value → <code>Session</code></p>" in page
    assert "adds <code>Session</code> objects to <code>shop.sessions.SESSIONS</code>." in page
    assert "shop.models.Session<small>held by shop.sessions.SESSIONS</small>" in page
    assert f"alert sent 2026-11-22 16:50:47 UTC, fingerprint {alert.fingerprint}" in page


def test_the_reasons_are_behind_a_fold() -> None:
    page = render(View(full_reading(), (), NONE_SHOWN, (), None, "", 1))

    verdict = page.partition('id="verdict"')[2].partition("</section>")[0]
    assert GREW_TEXT in verdict.partition('<details id="reasons">')[2]
    assert "<li>" not in verdict.partition('<details id="reasons">')[0]


def test_a_process_without_samples_has_a_page() -> None:
    page = render(View(Reading(started_at=1.7e9, process_started_at=None), (), NONE_SHOWN, (), None, "", 1))

    assert "Warming up" in page
    assert "no value yet" in page
    assert "No snapshot yet." in page


def test_the_page_names_no_other_host(tmp_path: Path) -> None:
    process = Process(tmp_path)
    page = render(View(process.reading(), process.history.points(), NONE_SHOWN, (), None, "", 1))

    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "style=" not in page
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_the_page_names_the_walker_and_why_it_was_chosen() -> None:
    reading = dataclasses.replace(full_reading(), walker=WalkerChoice("portable", "platform", "this is Plan 9"))

    page = render(View(reading, (), NONE_SHOWN, (), None, "", 1))

    assert "heap-exporter uses the portable walker because the native walker needs Linux (this is Plan 9)." in page
    assert (
        "heap-exporter counts all objects every 60 s. The last count ran in this process, took 250 ms and paused the "
        "service for 4.5 ms." in page
    )


def test_a_census_of_a_clone_is_marked() -> None:
    census = Census(1.7e9, 0.25, 0.01, 0.2, "native", (), (), in_process=False)

    assert census_text(census, 600).startswith(
        "heap-exporter counts all objects every 10 min. The last count ran in a cloned process, took 250 ms "
    )


def test_every_reason_for_a_walker_has_a_text() -> None:
    reasons = {"best", "setting", "no_extension", "platform", "free_threaded", "subinterpreter", "layout", "failing"}

    assert set(WALKER_REASONS) == reasons
    assert walker_text(WalkerChoice("native", "best")) == (
        "heap-exporter uses the native walker because it counts every object while the service continues to run."
    )
    assert walker_text(WalkerChoice("portable", "no_extension", "install a compiler")) == (
        "heap-exporter uses the portable walker because the C extension is missing (install a compiler). "
        "It pauses the service for longer, and does not count str, int and bytes objects."
    )


def test_a_snapshot_that_is_only_a_census_has_the_reason(tmp_path: Path) -> None:
    info = SnapshotInfo(
        "20261122T070000Z-1-0000", tmp_path, 2048, 1.7e9, 0.1, 0.004, "curl", "native", "census", 48_210
    )
    degraded = dataclasses.replace(info, note="only a census, no graph: 3 MiB are left")

    page = render(View(full_reading(), (), ShownSnapshots((degraded,), ""), (), None, "", 1))

    assert "census of 48.2 k objects · 2.0 KiB" in page
    assert "longest pause 4.0 ms · only a census, no graph: 3 MiB are left" in page


@pytest.mark.parametrize("count", [1, 2, 299, 300, 301, 1440, 100_000])
def test_a_sparkline_keeps_its_ends_and_peaks_inside_the_frame(count: int) -> None:
    series = [(float(at), 1000.0 + at % 7) for at in range(count)]
    series[count // 2] = (count // 2, 5000.0)

    picture = Sparkline(series).svg("a line")

    points = [tuple(map(float, pair.split(","))) for pair in picture.rsplit('points="', 1)[1].split('"')[0].split()]
    assert points[0][0] == 0
    assert points[-1][0] == WIDTH
    assert len(points) <= MAX_POINTS + 2
    assert all(0 <= y <= HEIGHT for _, y in points)
    assert count < 3 or min(y for _, y in points) == 6


def test_noise_of_a_steady_process_does_not_fill_the_picture() -> None:
    picture = Sparkline([(float(at), 1e8 + at % 2 * 1e4) for at in range(100)]).svg("")

    heights = {float(pair.split(",")[1]) for pair in picture.rsplit('points="', 1)[1].split('"')[0].split()}
    assert max(heights) - min(heights) < 1


def test_snapshots_that_were_not_compared_are_shown_with_the_command_that_compares_them() -> None:
    page = render(View(full_reading(), (), NONE_SHOWN, (), Comparison("failed", "a", "b", problem=PROBLEM), "", 1))

    assert "were not compared: the comparison may need 64.0 MiB of memory, " in page
    assert "run <code>heap-exporter report a.heap b.heap</code>." in page


OWN = SnapshotInfo("20261122T070000Z-1-0000", Path(), 1, 1.7e9, 0.1, 0.1, "own", "native", "graph", 1, service="shop")
OTHER = dataclasses.replace(OWN, id="20261122T080000Z-2-0000", reason="other", service="billing")


def shown_page(shown: ShownSnapshots, reported: tuple[str, ...] = (), comparison: Comparison | None = None) -> str:
    return render(View(full_reading(), (), shown, reported, comparison, "/heap", 1))


def test_snapshots_of_other_services_are_counted_and_linked() -> None:
    page = shown_page(ShownSnapshots((OWN,), "shop", others=1))

    assert '1 snapshot of other services in this folder: <a href="/heap/?all=true">show all</a>' in page
    assert ">billing<" not in page


def test_with_all_snapshots_shown_each_of_another_service_has_its_name() -> None:
    page = shown_page(ShownSnapshots((OWN, OTHER, dataclasses.replace(OWN, service="")), "shop", is_all=True))

    assert page.count('<span class="quiet">billing</span>') == page.count('<span class="quiet">unknown service') == 1
    assert '<span class="quiet">shop</span>' not in page
    assert '<a href="/heap/">show only those of shop</a>' in page


def test_a_snapshot_with_a_report_links_it_and_the_last_comparison_too() -> None:
    written = Comparison("written", OTHER.id, OWN.id, {"verdict": "nothing grew", "suspects": []}, has_page=True)
    link = f'<a href="/heap/snapshots/{OWN.id}/report"'

    page = shown_page(ShownSnapshots((OWN, OTHER), "shop"), (OWN.id,), written)

    comparison, snapshots = page.partition('id="snapshots"')[::2]
    assert link in comparison
    assert link in snapshots
    assert page.count("/report") == 2
    assert "/report" not in shown_page(ShownSnapshots((OWN,), "shop"), (), dataclasses.replace(written, has_page=False))


def test_several_processes_are_listed_with_a_link_to_the_page_of_each() -> None:
    fleet = [fleet_member(0), fleet_member(1, "<shop>")]

    page = render(View(full_reading(), (), NONE_SHOWN, (), None, "/heap", 1, processes(fleet, "/heap")))
    single = render(View(full_reading(), (), NONE_SHOWN, (), None, "/heap", 1, processes(fleet[:1], "/heap")))

    assert '<a href="/heap/processes/shop-0/">shop 0</a>' in page
    assert '<a href="/heap/processes/%3Cshop%3E-1/">&lt;shop&gt; 1</a>' in page
    assert "Processes" not in single
