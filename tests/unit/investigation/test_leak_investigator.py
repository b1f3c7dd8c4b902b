"""A suspicion from its first snapshot to an alert, with verdicts and a clock that are set by hand."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from heap_exporter.errors import AllocationsUnavailable
from heap_exporter.heapfile.format import read_header
from heap_exporter.investigation import findings, holder_watch
from heap_exporter.investigation.leak_investigator import LeakInvestigator
from heap_exporter.investigation.live_holder import LiveHolder
from heap_exporter.investigation.suspicion_allocations import SuspicionAllocations
from heap_exporter.model import (
    AllocationHooks,
    Cause,
    Finding,
    FindingKind,
    GrowingType,
    LeakAlert,
    MappingGrowth,
    MemoryKind,
    MemoryTrend,
    ProcessMemory,
    Reading,
    Sample,
    State,
    Verdict,
)
from heap_exporter.probes.mappings import MappingGroup, Mappings
from heap_exporter.report.advice_text import alert_advice
from heap_exporter.snapshot.budget import Budget, Moment
from heap_exporter.snapshot.comparison import Comparison
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.snapshot.store import Store
from tests.doubles.allocation_samplers import CREATE, HANDLE, FakeSampler, site
from tests.doubles.web_source import PausedWalker
from tests.examples.alerts import PROBLEM, full_alert
from tests.examples.readings import GREW, GREW_TEXT
from tests.heaps.steps import step

MIB = 1024**2
WINDOW = 900.0
HOUR = 3600.0
FAST = 10 * MIB / WINDOW


class Process:
    """A process with an investigator and its ``alerts``. Processes of one ``folder`` share snapshots and budget."""

    def __init__(
        self,
        folder: Path,
        *,
        a_day: int = 12,
        wants_snapshots: bool = True,
        compare: bool = False,
        samples_allocations: bool = True,
    ) -> None:
        self.now = 0.0
        self.resident_bytes = 100 * MIB
        self.anonymous_bytes = 10 * MIB
        self.alerts: list[LeakAlert] = []
        self.walker = PausedWalker()
        store = Store(folder, 20)
        self.snapshots = Snapshots(self.walker, store, lambda: None, compare=compare)
        self.allocations = FakeSampler()
        self.investigator = LeakInvestigator(
            self.snapshots,
            Budget(store, HOUR, a_day, self._moment),
            window_seconds=WINDOW,
            wants_snapshots=wants_snapshots,
            read_mappings=self._mappings,
            max_bytes=lambda reading: None,
            allocations=SuspicionAllocations(self.allocations, is_wanted=samples_allocations),
            clock=lambda: self.now,
        )

    @property
    def taken(self) -> int:
        return len(self.snapshots.store.list())

    def sees(
        self,
        state: State,
        after_seconds: float = 15.0,
        cause: Cause | None = Cause.PYTHON_OBJECTS,
        slope: float = FAST,
        grower: str = "shop.Session",
    ) -> None:
        """Let time pass, and investigate a verdict."""
        self.now += after_seconds
        self.resident_bytes += int(slope * after_seconds)
        verdict = Verdict(
            judged_at=self.now,
            state=state,
            reasons=(GREW,),
            window_seconds=WINDOW,
            cause=cause,
            trends=(MemoryTrend(MemoryKind.TOTAL, slope),),
            growing_types=(GrowingType(grower, 10, 1000),),
        )
        self.investigate(verdict, self._reading())

    def investigate(self, verdict: Verdict, reading: Reading) -> None:
        """Investigate a verdict on a reading, and keep the alert if there is one."""
        if alert := self.investigator.investigate(verdict, reading):
            self.alerts.append(alert)

    def _reading(self) -> Reading:
        memory = ProcessMemory(self.resident_bytes, None, None, None, None, None, 1)
        return Reading(0.0, None, sample=Sample(self.now, None, 0.0, memory, None, None))

    def _moment(self) -> Moment:
        return Moment(1.7e9 + self.now, self.now, "a boot")

    def _mappings(self) -> Mappings:
        return Mappings((MappingGroup("anonymous", 1, self.anonymous_bytes, self.anonymous_bytes, 0, 0),), True)


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


def test_the_leak_of_an_alert_has_ended_after_a_window_without_a_suspicion(process: Process) -> None:
    process.sees(State.SUSPECTED)
    process.sees(State.CONFIRMED, WINDOW)
    process.sees(State.CONFIRMED, WINDOW)
    ends = [process.investigator.take_end()]
    for _ in range(2):
        process.sees(State.STEADY, 0.6 * WINDOW)
        ends.append(process.investigator.take_end())

    assert len(process.alerts) == 1
    assert ends == [False, False, True]
    assert not process.investigator.take_end()


def test_a_suspicion_without_an_alert_has_no_end(process: Process) -> None:
    process.sees(State.SUSPECTED)
    process.sees(State.STEADY, 2 * WINDOW)

    assert not process.investigator.take_end()


def test_a_suspicion_takes_at_most_two_snapshots_and_makes_one_alert(process: Process) -> None:
    for _ in range(100):
        process.sees(State.SUSPECTED)
    for _ in range(100):
        process.sees(State.CONFIRMED)
    (alert,) = process.alerts

    assert process.taken == 2
    assert [read_header(info.path).reason for info in alert.snapshots] == [
        f"leak suspected: {GREW_TEXT}",
        "growth continues (second snapshot of two)",
    ]
    assert process.snapshots.store.pins.pinned("alert") == {info.id for info in alert.snapshots}


def test_growth_that_is_not_suspected_is_not_investigated(process: Process) -> None:
    for state in (State.WARMING_UP, State.STEADY, State.GROWING, State.PLATEAUED):
        process.sees(state)

    assert (process.taken, process.alerts) == (0, [])


def test_the_second_snapshot_waits_for_a_third_of_a_window(process: Process) -> None:
    process.sees(State.SUSPECTED)
    process.sees(State.SUSPECTED, WINDOW / 3 - 1)
    assert process.taken == 1
    process.sees(State.SUSPECTED, 1)
    assert process.taken == 2


def test_the_second_snapshot_waits_for_a_mebibyte_of_growth(process: Process) -> None:
    slope = MIB / WINDOW
    process.sees(State.SUSPECTED, slope=slope)
    process.sees(State.SUSPECTED, 0.9 * WINDOW, slope=slope)
    assert process.taken == 1
    process.sees(State.SUSPECTED, 0.2 * WINDOW, slope=slope)
    assert process.taken == 2


def test_a_confirmed_leak_has_its_second_snapshot_at_once(process: Process) -> None:
    process.sees(State.SUSPECTED)
    process.sees(State.CONFIRMED)

    assert process.taken == 2
    assert len(process.alerts[0].snapshots) == 2


def test_no_second_snapshot_is_taken_when_the_suspicion_is_over(process: Process) -> None:
    process.sees(State.SUSPECTED)
    process.sees(State.GROWING, WINDOW / 2)

    assert process.taken == 1


def test_a_leak_has_an_alert_though_the_budget_has_no_snapshots_left(tmp_path: Path) -> None:
    process = Process(tmp_path, a_day=1)
    process.sees(State.SUSPECTED)
    process.sees(State.CONFIRMED)
    (alert,) = process.alerts

    assert alert.snapshots == ()
    assert process.taken == 0
    assert process.snapshots.outcomes["over_budget"] == 1


def test_a_leak_has_an_alert_though_snapshots_are_turned_off(tmp_path: Path) -> None:
    process = Process(tmp_path, wants_snapshots=False)
    process.sees(State.SUSPECTED)
    process.sees(State.CONFIRMED)

    assert (process.taken, len(process.alerts)) == (0, 1)


def test_two_processes_of_one_folder_make_one_alert_of_a_leak_in_a_cooldown(tmp_path: Path) -> None:
    one, other = Process(tmp_path), Process(tmp_path)
    for process in (one, other):
        process.sees(State.SUSPECTED)
        process.sees(State.CONFIRMED)
    assert (len(one.alerts), len(other.alerts)) == (1, 0)
    assert one.taken == 2
    assert other.snapshots.outcomes["cooldown"] == 1

    third = Process(tmp_path)
    third.now = HOUR + 60
    third.sees(State.SUSPECTED)
    third.sees(State.CONFIRMED)

    assert len(third.alerts) == 1
    assert third.alerts[0].fingerprint == one.alerts[0].fingerprint


def test_two_leaks_have_two_alerts(tmp_path: Path) -> None:
    one, other = Process(tmp_path), Process(tmp_path)
    for process, grower in ((one, "shop.Session"), (other, "shop.Order")):
        process.sees(State.SUSPECTED, grower=grower)
        process.sees(State.CONFIRMED, grower=grower)

    assert one.alerts[0].fingerprint != other.alerts[0].fingerprint


def test_a_suspicion_that_flaps_within_a_window_is_one_suspicion(process: Process) -> None:
    for _ in range(20):
        process.sees(State.SUSPECTED)
        process.sees(State.GROWING, WINDOW - 15)

    assert process.taken == 2
    assert process.snapshots.outcomes["cooldown"] == 0


def test_a_suspicion_after_a_quiet_window_is_another_one(process: Process) -> None:
    process.sees(State.SUSPECTED)
    process.sees(State.STEADY, WINDOW + 1)
    process.sees(State.SUSPECTED, grower="shop.Order")

    assert process.taken == 2
    assert all(info.reason.startswith("leak suspected") for info in process.snapshots.store.list())


@pytest.mark.parametrize(
    ("cause", "snapshots"), [(Cause.NATIVE, 2), (Cause.FILE_OR_SHARED, 2), (Cause.FRAGMENTATION, 0)]
)
def test_growth_outside_the_heap_has_mappings_and_snapshots_of_its_handles(
    process: Process, cause: Cause, snapshots: int
) -> None:
    process.sees(State.SUSPECTED, cause=cause)
    process.anonymous_bytes += 30 * MIB
    process.sees(State.CONFIRMED, WINDOW, cause=cause)
    (alert,) = process.alerts

    assert process.taken == snapshots
    assert alert.mappings == (MappingGrowth("anonymous", 10 * MIB, 40 * MIB),)
    assert alert_advice(alert)


def test_growth_of_unknown_cause_has_snapshots_and_mappings(process: Process) -> None:
    process.sees(State.SUSPECTED, cause=Cause.UNATTRIBUTED)
    process.anonymous_bytes += 30 * MIB
    process.sees(State.CONFIRMED, WINDOW, cause=Cause.UNATTRIBUTED)
    (alert,) = process.alerts

    assert len(alert.snapshots) == 2
    assert alert.mappings


def test_growth_that_looks_like_fragmentation_at_first_has_snapshots_once_the_cause_is_python_objects(
    process: Process,
) -> None:
    process.sees(State.SUSPECTED, cause=Cause.FRAGMENTATION)
    assert process.taken == 0
    process.sees(State.SUSPECTED)
    process.sees(State.SUSPECTED, WINDOW / 3)
    process.sees(State.CONFIRMED)

    assert len(process.alerts[0].snapshots) == 2


def test_growth_that_looks_like_python_objects_at_first_has_mappings_from_when_the_cause_is_native(
    process: Process,
) -> None:
    process.sees(State.SUSPECTED)
    process.sees(State.SUSPECTED, cause=Cause.NATIVE)
    process.anonymous_bytes += 30 * MIB
    process.sees(State.CONFIRMED, cause=Cause.NATIVE)

    assert process.alerts[0].mappings == (MappingGrowth("anonymous", 10 * MIB, 40 * MIB),)


def test_a_snapshot_that_fails_is_logged_and_the_alert_has_none(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.walker.failure = ZeroDivisionError("the walker")
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            process.sees(State.SUSPECTED, WINDOW)
    process.sees(State.CONFIRMED)

    assert "no snapshot of the suspected leak could be taken: the snapshot failed: ZeroDivisionError" in caplog.text
    assert process.snapshots.outcomes["failed"] == 1
    assert process.alerts[0].snapshots == ()


def test_an_alert_has_the_first_snapshot_when_the_second_fails(process: Process) -> None:
    process.sees(State.SUSPECTED)
    process.walker.failure = MemoryError()
    process.sees(State.CONFIRMED)

    assert len(process.alerts[0].snapshots) == 1


def test_a_snapshot_is_tried_again_after_another_one_was_being_taken(process: Process) -> None:
    busy = process.snapshots.reserve("requested by another caller")
    process.sees(State.SUSPECTED)
    assert process.snapshots.outcomes["busy"] == 1
    process.snapshots.take_pending()
    process.sees(State.SUSPECTED)
    process.sees(State.SUSPECTED, WINDOW / 3)

    reasons = {info.id: info.reason for info in process.snapshots.store.list()}
    assert reasons.pop(busy) == "requested by another caller"
    assert sorted(reasons.values()) == ["growth continues (second snapshot of two)", f"leak suspected: {GREW_TEXT}"]


def test_an_alert_does_not_wait_for_a_snapshot_that_another_caller_takes(process: Process) -> None:
    process.snapshots.reserve("requested by another caller")
    process.sees(State.CONFIRMED)
    process.snapshots.take_pending()
    process.sees(State.CONFIRMED)

    assert len(process.alerts) == 1
    assert process.taken == 1  # the alert is sent: a further snapshot would not be in it


def test_a_reading_without_the_memory_of_the_process_is_no_error(process: Process) -> None:
    verdict = Verdict(0.0, State.SUSPECTED, (GREW,), WINDOW)
    process.investigate(verdict, Reading(0.0, None))
    process.investigate(replace(verdict, state=State.CONFIRMED), Reading(0.0, None))

    assert len(process.alerts[0].snapshots) == 2


CONFIRMS = Finding(FindingKind.CONFIRMS_ACCUMULATION, Cause.PYTHON_OBJECTS, full_alert().accumulation)
IN_FLIGHT = Finding(FindingKind.CLEARS_IN_FLIGHT, in_flight_types=("bytearray",))


class ComparedProcess(Process):
    """A process whose comparisons have the ``state`` and the ``result`` that are set here."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        self.state: Literal["running", "written", "failed"] = "running"
        self.result: Finding | None = CONFIRMS
        monkeypatch.setattr(self.snapshots.comparisons, "state", self._comparison)
        monkeypatch.setattr(
            findings, "interpret_report", lambda *_: (self.result, self.result and self.result.accumulation)
        )

    def takes_both_snapshots(self) -> None:
        """Let the process be suspected until both snapshots are taken."""
        before = self.taken
        self.sees(State.SUSPECTED)
        self.sees(State.SUSPECTED, WINDOW / 3)
        assert self.taken == before + 2

    def finding(self) -> Finding | None:
        """Return the finding as of now."""
        return self.investigator.finding(self._reading())

    def _comparison(self, id: str) -> Comparison:
        if self.state == "failed":
            return Comparison("failed", "before", "after", problem=PROBLEM)
        return Comparison(self.state, "before", "after", report={} if self.state == "written" else None)


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComparedProcess:
    return ComparedProcess(tmp_path, monkeypatch)


def test_a_confirming_finding_waits_until_growth_has_continued_and_is_returned_once(compared: ComparedProcess) -> None:
    compared.takes_both_snapshots()
    assert compared.finding() is None
    compared.state = "written"
    assert compared.finding() is None
    compared.sees(State.SUSPECTED, WINDOW / 3)

    assert compared.finding() == CONFIRMS
    assert compared.finding() is None


def test_a_clearing_finding_is_returned_at_once(compared: ComparedProcess) -> None:
    compared.takes_both_snapshots()
    compared.state, compared.result = "written", IN_FLIGHT

    assert compared.finding() == IN_FLIGHT


def test_a_holder_that_holds_still_clears_one_suspicion_and_is_in_no_alert(
    compared: ComparedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder_watch, "live_holder", lambda _: LiveHolder("dict", step("shop.CACHE"), 500))
    for expected in (FindingKind.CLEARS_SETTLED_HOLDER, None):
        compared.state = "running"
        compared.sees(State.STEADY, HOUR + WINDOW + 1)
        compared.takes_both_snapshots()
        compared.state = "written"
        compared.finding()
        compared.sees(State.SUSPECTED, WINDOW / 3)
        found = compared.finding()
        compared.sees(State.CONFIRMED)

        assert (found and found.kind) == expected
        assert compared.alerts.pop().accumulation is None


def test_work_in_flight_clears_one_suspicion_only(compared: ComparedProcess) -> None:
    compared.result = IN_FLIGHT
    for expected in (IN_FLIGHT, None):
        compared.state = "running"
        compared.sees(State.STEADY, HOUR + WINDOW + 1)
        compared.sees(State.SUSPECTED)
        compared.sees(State.SUSPECTED, WINDOW / 3)
        compared.state = "written"

        assert compared.finding() == expected


def test_an_alert_waits_for_the_comparison_and_has_its_accumulation(compared: ComparedProcess) -> None:
    compared.takes_both_snapshots()
    compared.sees(State.CONFIRMED)
    compared.state = "written"
    compared.sees(State.CONFIRMED)
    assert compared.alerts == []

    compared.finding()
    compared.sees(State.CONFIRMED)

    assert compared.alerts[0].accumulation == full_alert().accumulation
    assert compared.alerts[0].fingerprint == CONFIRMS.accumulation.fingerprint  # type: ignore[union-attr]  # it has one


def test_an_alert_does_not_wait_for_a_comparison_that_failed_and_states_the_reason(compared: ComparedProcess) -> None:
    compared.takes_both_snapshots()
    compared.state = "failed"
    assert compared.finding() is None
    compared.sees(State.CONFIRMED)

    assert compared.alerts[0].accumulation is None
    assert compared.alerts[0].comparison_problem == PROBLEM


def test_allocations_are_sampled_from_the_suspicion_to_its_alert(process: Process) -> None:
    process.sees(State.GROWING)
    before = process.allocations.hooks
    process.sees(State.SUSPECTED)
    while_suspected = process.allocations.hooks
    process.allocations.sites = (site(1, HANDLE, live=200.0), site(2, CREATE, live=900.0, error=30.0))
    process.sees(State.CONFIRMED)
    process.sees(State.SUSPECTED)
    (alert,) = process.alerts

    assert [(each.line, each.bytes, each.plus_minus_bytes) for each in alert.allocated_at] == [
        (CREATE, 900.0, 30.0),
        (HANDLE, 200.0, 0.0),
    ]
    assert (before, while_suspected, process.allocations.hooks) == ("off", "light", "off")
    assert process.allocations.starts == 1


def test_allocations_are_sampled_no_longer_once_a_suspicion_is_forgotten(process: Process) -> None:
    process.sees(State.SUSPECTED)
    process.sees(State.STEADY, after_seconds=WINDOW / 2)
    soon = process.allocations.hooks
    process.sees(State.STEADY, after_seconds=WINDOW)

    assert (soon, process.allocations.hooks) == ("light", "off")


def test_a_sampler_that_is_active_before_a_suspicion_stays_active(tmp_path: Path) -> None:
    process = Process(tmp_path, samples_allocations=False)
    process.allocations.state = AllocationHooks.LIGHT
    process.allocations.sites = (site(1, HANDLE, live=200.0), site(2, CREATE, live=900.0))
    process.sees(State.SUSPECTED)
    process.allocations.sites = (site(1, HANDLE, live=700.0), site(2, CREATE, live=900.0))
    process.sees(State.CONFIRMED)

    assert [(each.line, each.bytes) for each in process.alerts[0].allocated_at] == [(HANDLE, 500.0)]
    assert (process.allocations.hooks, process.allocations.stops) == ("light", 0)


def test_allocations_are_not_sampled_where_that_is_not_wanted(tmp_path: Path) -> None:
    process = Process(tmp_path, samples_allocations=False)
    process.sees(State.SUSPECTED)
    process.sees(State.CONFIRMED)

    assert (process.allocations.starts, process.alerts[0].allocated_at) == (0, ())


def test_a_leak_is_investigated_where_allocations_cannot_be_sampled(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.allocations.problem = AllocationsUnavailable("no_extension", "there is no extension")
    with caplog.at_level(logging.INFO):
        process.sees(State.SUSPECTED)
    process.sees(State.CONFIRMED)

    assert process.alerts[0].allocated_at == ()
    assert "will not say where memory was allocated: there is no extension" in caplog.text
