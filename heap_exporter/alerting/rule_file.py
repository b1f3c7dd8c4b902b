"""The rule file, made from :class:`~heap_exporter.alerting.thresholds.AlertThresholds`."""

from __future__ import annotations

import json
import textwrap

from heap_exporter.alerting.alert_rules import AlertRule, alert_rules
from heap_exporter.alerting.quantities import promql_duration
from heap_exporter.alerting.recording_rules import RecordingRule, recording_rules
from heap_exporter.alerting.thresholds import AlertThresholds

GROUP = "heap-exporter"
RUNBOOK = "https://github.com/heap-exporter/heap-exporter/blob/main/alerts/runbook.md"


def render_rules(thresholds: AlertThresholds | None = None, command: str = "heap-exporter rules") -> str:
    """Return the alert and recording rules as YAML text; ``command`` is named in its header as the one that made it."""
    t = thresholds or AlertThresholds()
    head = (
        f"# Made by `{command}`; to change a number, run that with other options (see --help).\n"
        f"# What each alert means and what to do about it: {RUNBOOK}\n"
        "groups:\n"
        f"  - name: {GROUP}\n"
        f"    interval: {promql_duration(t.window_seconds / 15)}\n"
        "    rules:\n"
    )
    rules = [_render_recording(rule) for rule in recording_rules(t)] + [
        _render_alert(alert) for alert in alert_rules(t)
    ]
    return head + "\n".join(rules)


def _render_recording(rule: RecordingRule) -> str:
    comment = textwrap.indent(textwrap.fill(rule.why, 110) + "\n" if rule.why else "", " " * 6 + "# ")
    return f"{comment}      - record: {rule.name}\n{_render_expr(rule.expr)}"


def _render_alert(alert: AlertRule) -> str:
    keep = alert.keep_firing_seconds
    lines = [
        f"      - alert: {alert.name}",
        _render_expr(alert.expr).rstrip("\n"),
        f"        for: {promql_duration(alert.hold_seconds)}",
        *([f"        keep_firing_for: {promql_duration(keep)}"] if keep else []),
        "        labels:",
        f"          severity: {alert.severity}",
        "        annotations:",
        f"          summary: {alert.summary}",
        f"          description: {json.dumps(alert.description)}",
        f"          runbook_url: {RUNBOOK}#{alert.name.lower()}",
    ]
    return "\n".join(lines) + "\n"


def _render_expr(expr: str) -> str:
    return "        expr: |\n" + textwrap.indent(expr, " " * 10) + "\n"
