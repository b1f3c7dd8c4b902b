"""The alert rules for Prometheus: the thresholds that a user can change, and the rule file made from them."""

from heap_exporter.alerting.rule_file import render_rules
from heap_exporter.alerting.thresholds import AlertThresholds

__all__ = ["AlertThresholds", "render_rules"]
