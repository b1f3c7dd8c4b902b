"""The alert rules for Prometheus: thresholds that people can change, and the rule file made from them."""

from heap_exporter.alerting.rule_file import render_rules
from heap_exporter.alerting.thresholds import AlertThresholds

__all__ = ["AlertThresholds", "render_rules"]
