"""A stage that raises is counted under its own name; /metrics stays fresh and the other stages run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from heap_exporter.detection.judge import Judge
from heap_exporter.export.metrics_page import MetricsPage
from heap_exporter.investigation.stage import InvestigationOutcome, InvestigationStage
from heap_exporter.model import (
    Cause,
    DetectorThresholds,
    Finding,
    FindingKind,
    LeakAlert,
    Point,
    Reading,
    State,
    Verdict,
)
from heap_exporter.monitor import HeapMonitor
from heap_exporter.notify.notifier import Notifier
from heap_exporter.pipeline import STAGES, Pipeline
from heap_exporter.probes.sampler import PROBES, Sampler
from heap_exporter.recording.recorder import Recorder
from heap_exporter.recording.series_reader import read_judged_series, read_series
from heap_exporter.settings import Settings
from heap_exporter.snapshot.service import Snapshots
from tests.examples.alerts import full_alert

ERRORS = "heap_exporter_sample_errors_total"
SAMPLED_AT = "heap_exporter_last_sample_timestamp_seconds"


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[HeapMonitor]:
    found = HeapMonitor(Settings.load({}, snapshot_dir=tmp_path, walker="portable"))
    found._pipeline._next_slow_at = math.inf  # no census: it takes a second
    found.take_slot()
    found._pipeline.begin()
    yield found
    found.stop()


@pytest.fixture
def pipeline(monitor: HeapMonitor) -> Pipeline:
    return monitor._pipeline


@pytest.fixture
def page(monitor: HeapMonitor) -> MetricsPage:
    found = MetricsPage(monitor.reading)
    monitor.on_reading(found.publish)
    return found


def broken(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("a bug")


def scrape(page: MetricsPage) -> dict[str, float]:
    """Return the samples of the page, those of the errors by their source alone."""
    text = page.render("text/plain")[0].decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.labels["source"] if sample.name == ERRORS else sample.name: sample.value for sample in samples}


BROKEN_STAGES = {
    "record": (Recorder, "record"),
    "judge": (Judge, "judge"),
    "investigate": (InvestigationStage, "investigate"),
    "notify": (Notifier, "send"),
    "snapshot": (Snapshots, "poll"),
    "read": (Sampler, "sample"),
}


@pytest.mark.parametrize("stage", sorted(BROKEN_STAGES.keys() - {"read"}))
def test_a_stage_that_raises_leaves_the_page_fresh_and_is_counted_and_logged_under_its_own_name(
    stage: str,
    pipeline: Pipeline,
    page: MetricsPage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(
        InvestigationStage, "investigate", lambda *_: InvestigationOutcome(full_alert(), ())
    )  # so that there is something to send
    monkeypatch.setattr(*BROKEN_STAGES[stage], broken)
    pipeline.tick()
    before = scrape(page)
    for _ in range(3):
        time.sleep(0.002)
        pipeline.tick()
    after = scrape(page)

    assert after[SAMPLED_AT] > before[SAMPLED_AT]
    assert after[stage] >= before[stage] + 2  # the last error may be published with the next reading
    assert {name for name in (*PROBES, *STAGES) if after[name]} == {stage}
    assert [record.getMessage().partition(" (")[0] for record in caplog.records if "failed" in record.message] == [
        f"{stage} failed"
    ]


def test_the_test_of_the_memory_limit_judges_the_newest_sample(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[tuple[Reading, Sequence[Point]]] = []

    def is_limit_near(_: InvestigationStage, reading: Reading, points: Sequence[Point]) -> bool:
        judged.append((reading, points))
        return False

    monkeypatch.setattr(InvestigationStage, "is_limit_near", is_limit_near)
    for _ in range(3):
        pipeline.tick()

    newest = [(reading.sample and reading.sample.taken_at, points[-1].t_seconds) for reading, points in judged]
    assert [len(points) for _, points in judged] == [1, 2, 3]
    assert [sampled_at for sampled_at, _ in newest] == [judged_at for _, judged_at in newest]


def test_a_read_that_raises_as_a_whole_is_counted_and_the_last_reading_stays(
    pipeline: Pipeline, page: MetricsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.tick()
    before = scrape(page)
    monkeypatch.setattr(*BROKEN_STAGES["read"], broken)
    pipeline.tick()
    after = scrape(page)

    assert after[SAMPLED_AT] == before[SAMPLED_AT]
    assert (before["read"], after["read"]) == (0, 1)


def test_a_listener_of_readings_that_raises_is_counted_and_stops_no_other(
    monitor: HeapMonitor, pipeline: Pipeline
) -> None:
    readings: list[Reading] = []
    pipeline._listeners.append(broken)
    monitor.on_reading(readings.append)
    pipeline.tick()
    pipeline.tick()

    errors = monitor.reading().counters.sample_errors
    assert readings[-1] is monitor.reading()
    assert len(readings) == 3
    assert errors["publish"] >= 1
    assert {name for name, count in errors.items() if count} == {"publish"}


def test_a_reading_is_published_though_its_counters_raise(
    monitor: HeapMonitor, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pipeline, "_with_counters", broken)
    before = monitor.reading().sample
    pipeline.tick()

    assert monitor.reading().sample is not before
    assert pipeline._boundary.errors["publish"] == 1


def test_a_judge_that_raises_does_not_stop_the_recording_and_leaves_no_verdict(
    monitor: HeapMonitor, pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.tick()
    assert monitor.verdict() is not None
    monkeypatch.setattr(Judge, "judge", broken)
    for _ in range(4):
        pipeline.tick()
    (series,) = (tmp_path / "series").glob("*.csv")

    assert monitor.verdict() is None
    assert len(monitor.history) == 5
    assert len(list(read_series(series))) == 5


def test_the_thresholds_of_the_service_are_recorded_with_its_samples(tmp_path: Path) -> None:
    settings = Settings.load({}, snapshot_dir=tmp_path, walker="portable", window="30m", interval="20s")
    monitor = HeapMonitor(settings)
    monitor._pipeline._next_slow_at = math.inf  # no census: it takes a second
    monitor._pipeline.begin()
    monitor._pipeline.tick()
    (series,) = (tmp_path / "series").glob("*.csv")

    [judged] = read_judged_series(series)

    assert judged.thresholds == DetectorThresholds(
        1800, settings.growth_threshold_percent, settings.min_slope_bytes_per_hour
    )
    monitor.stop()


def test_a_recording_that_fails_is_counted_and_stops_nothing(
    tmp_path: Path, page: MetricsPage, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heap_exporter.recording.recorder.create_recording", broken)
    pipeline.tick()
    found = scrape(page)

    assert found["record"] == 1
    assert {name for name in (*PROBES, *STAGES) if found[name]} == {"record"}
    assert list(tmp_path.glob("series/*")) == []


def test_a_snapshot_near_the_memory_limit_is_taken_though_the_judge_raises(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    investigated: list[Verdict | None] = []
    monkeypatch.setattr(Judge, "judge", broken)
    monkeypatch.setattr(InvestigationStage, "investigate", lambda _, verdict, reading: investigated.append(verdict))
    pipeline.tick()

    assert investigated == [None]


def test_the_sample_is_recorded_before_it_is_judged_and_published_before_it_is_investigated(
    monitor: HeapMonitor, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def traced(owner: type, method: str) -> None:
        real: Callable[..., Any] = getattr(owner, method)

        def call(*arguments: Any) -> Any:
            order.append(method)
            return real(*arguments)

        monkeypatch.setattr(owner, method, call)

    monitor.on_reading(lambda reading: order.append("publish"))
    order.clear()
    for owner, method in (
        (Sampler, "sample"),
        (Recorder, "record"),
        (Judge, "judge"),
        (Recorder, "record_verdict"),
        (InvestigationStage, "investigate"),
    ):
        traced(owner, method)
    pipeline.tick()

    assert order == ["sample", "record", "judge", "publish", "record_verdict", "investigate"]


def test_an_alert_is_published_counted_and_sent(
    monitor: HeapMonitor, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[LeakAlert] = []
    monkeypatch.setattr(InvestigationStage, "investigate", lambda *_: InvestigationOutcome(full_alert(), ()))
    monkeypatch.setattr(Notifier, "send", lambda _, alert, member: sent.append(alert))
    pipeline.tick()

    assert sent == [full_alert()]
    assert monitor.reading().alert == full_alert()
    assert monitor.reading().counters.alerts == 1


def test_the_end_of_a_leak_is_sent_once(
    monitor: HeapMonitor, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[str, bool]] = []
    outcomes = iter([InvestigationOutcome(full_alert(), ()), *[InvestigationOutcome(None, (), has_ended=True)] * 2])
    monkeypatch.setattr(InvestigationStage, "investigate", lambda *_: next(outcomes))
    monkeypatch.setattr(
        Notifier,
        "resolve",
        lambda _, document, has_process_ended: ended.append((document["fingerprint"], has_process_ended)),
    )
    for _ in range(3):
        pipeline.tick()

    assert ended == [(full_alert().fingerprint, False)]


def test_a_finding_is_recorded_and_judged_with_the_sample_of_the_same_tick(
    monitor: HeapMonitor, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS)
    findings = iter([finding])
    pipeline.tick()
    monkeypatch.setattr(InvestigationStage, "finding", lambda *_: next(findings, None))
    pipeline.tick()
    pipeline.tick()

    assert [point.finding for point in monitor.history.points()] == [None, finding, None]


def test_a_finding_is_judged_again_with_the_next_sample_when_the_judge_raises(
    monitor: HeapMonitor, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding(FindingKind.CLEARS_BOUNDED_CACHE)
    findings = iter([finding])
    monkeypatch.setattr(InvestigationStage, "finding", lambda *_: next(findings, None))
    with monkeypatch.context() as patch:
        patch.setattr(Judge, "judge", broken)
        pipeline.tick()
    pipeline.tick()
    pipeline.tick()

    assert [point.finding for point in monitor.history.points()] == [finding, finding, None]
    verdict = monitor.verdict()
    assert verdict is not None
    assert verdict.state is State.WARMING_UP
