"""The series of a large fleet: within the budget, and with sums of all processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from heap_exporter.fleet import fleet_metrics
from heap_exporter.fleet.fleet_families import FleetState
from heap_exporter.fleet.fleet_metrics import FASTEST, MAX_SERIES, FleetMetrics
from heap_exporter.model import State
from tests.examples.fleets import NOW, fleet_member

TYPES = 80


def test_beyond_the_budget_only_processes_that_leak_or_grow_fast_have_series_by_type(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    types = {name: [((f"shop.T{number}",), 2.0) for number in range(TYPES)] for name in fleet_metrics.OF_TYPES}
    leaking = fleet_member(0, state=State.SUSPECTED, slope=1.0, values=types)
    found = [leaking, *(fleet_member(number, slope=float(number), values=types) for number in range(1, 64))]

    body, _ = FleetMetrics(tmp_path, None).render_members("text/plain", found, FleetState(found, NOW))

    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    with_types = {
        line.split('worker="')[1].split('"')[0] for line in lines if line.startswith("python_heap_type_bytes")
    }
    sums = {line for line in lines if line.startswith("python_heap_fleet_type_bytes{")}
    assert len(lines) <= MAX_SERIES
    assert with_types == {"0", *(str(number) for number in range(64 - FASTEST, 64))}
    assert len(sums) == TYPES
    assert all(line.endswith(" 128.0") for line in sums)


def test_a_label_with_a_quote_and_a_line_break_makes_no_series_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    forged = 'x"} 1\npython_heap_resident_bytes{service="bank",worker="0"} 7\n'
    found = [fleet_member(0, values={"python_heap_type_bytes": [((forged,), 2.0)]})]

    body, _ = FleetMetrics(tmp_path, None).render_members("text/plain", found)

    series = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]
    assert [each.labels["service"] for each in series] == ["shop"] * 2
    assert [each.labels.get("type_name") for each in series] == [None, forged]
