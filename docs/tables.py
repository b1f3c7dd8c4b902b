"""Writes the README's tables of metrics and settings from their definitions in the code.

``make docs`` runs it; a test fails if the README is out of date.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heap_exporter.metrics import METRICS, Instrument
from heap_exporter.settings import rules, variable

_UNITS = {1: "", 0.001: " in thousandths"}

README = Path(__file__).parent.parent / "README.md"


def metrics_table() -> str:
    """Return the table of metrics."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        kind = "counter" if metric.instrument is Instrument.COUNTER else "gauge"
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {kind} | {labels} | {metric.help} |")
    return "\n".join(rows)


def settings_table() -> str:
    """Return the table of settings."""
    rows = ["| variable | default | effect |", "|---|---|---|"]
    for name, (rule, default) in rules().items():
        also = "".join(f" Also `{alias}`{_UNITS[factor]}." for alias, factor in rule.aliases.items())
        rows.append(f"| `{variable(name)}` | {_shown(default)} | {rule.help}{also} |")
    return "\n".join(rows)


def _shown(default: Any) -> str:
    """Return a default as a user types it."""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default}`" if str(default) not in ("", ".") else ""


def with_tables(text: str) -> str:
    """Return a document with the text between its ``<!-- name -->`` markers replaced by new tables."""
    for name, table in (("metrics", metrics_table()), ("settings", settings_table())):
        begin, end = f"<!-- {name}: made by make docs -->", f"<!-- end of {name} -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
