"""The committed dashboards: their queries, and those that may have an empty result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

EXPECTED_EMPTY = {
    "python_heap_limit_bytes": "no memory limit is set for the process",
    "python_heap_leak_time_to_exhaustion_seconds": "the process is not growing, or has no memory limit",
    "python_heap_fleet_time_to_exhaustion_seconds": "no process is growing, or there is no memory limit",
    "python_heap_fleet_proportional_bytes": "the kernel or the sandbox has no /proc/self/smaps_rollup",
    "python_heap_fleet_type_": "the service has only one process",
    "python_heap_fleet_unique_bytes": "the kernel or the sandbox has no /proc/self/smaps_rollup",
    "python_heap_cgroup_events_total": "the process is in no cgroup that counts memory events",
    "python_heap_proportional_bytes": "the kernel or the sandbox has no /proc/self/smaps_rollup",
    "python_heap_unique_bytes": "the kernel or the sandbox has no /proc/self/smaps_rollup",
    "heap_exporter_pushes_total": "no OTLP endpoint is set",
    "heap_exporter_webhooks_total": "no webhook is set",
    "heap_exporter_listener_calls_total": "no listener is set",
    "heap_exporter_uploads_total": "no upload is set",
    "python_heap_leak_confirmed": "no leak is suspected",
    "heap_exporter_snapshot_pause_seconds": "no snapshot has been taken",
    "heap_exporter_last_exit": "no process was killed",
    "heap_exporter_lost_search_duration_seconds": "no snapshot has been taken",
    "heap_exporter_alerts_received_total": "Alertmanager sends no alerts",
    "python_heap_lost_": "no memory was lost between two snapshots",
    "changes(": "no process restarted in the interval",
    "ALERTS": "no alert is firing",
}
"""Parts of the queries that may have an empty result on a healthy machine, and why."""


@dataclass(frozen=True)
class PanelQuery:
    """One query of one panel, with the variables of Grafana in it; for an annotation, `panel` is its name."""

    dashboard: str
    panel: str
    expr: str

    def substituted(self, *, rate_interval: str = "1m", shown_range: str = "1h") -> str:
        """Return the query as Grafana sends it with all values selected; intervals are PromQL durations."""
        values = {
            "$__rate_interval": rate_interval,
            "$__interval": rate_interval,
            "$__range": shown_range,
            "$job": ".+",
            "$instance": ".+",
            "$service": ".+",
            "$worker": ".+",
            "$type_name": ".+",
        }
        expr = self.expr
        for variable, value in values.items():
            expr = expr.replace(variable, value)
        return expr

    @property
    def why_empty(self) -> str | None:
        """Return why the query may have an empty result, or None if it must not."""
        return next((reason for part, reason in EXPECTED_EMPTY.items() if part in self.expr), None)


def dashboards() -> dict[str, dict[str, Any]]:
    """Return the committed dashboards by uid."""
    read = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("heap-exporter-*.json"))]
    return {dashboard["uid"]: dashboard for dashboard in read}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, also those inside of rows, without the rows."""
    found = [inner for panel in dashboard["panels"] for inner in (panel, *panel.get("panels", ()))]
    return [panel for panel in found if panel["type"] != "row"]


def panel_queries() -> Iterator[PanelQuery]:
    """Yield the queries of all committed dashboards: those of the panels, then those of the annotations."""
    for uid, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield PanelQuery(uid, panel["title"], target["expr"])
        for annotation in dashboard["annotations"]["list"]:
            yield PanelQuery(uid, annotation["name"], annotation["expr"])
