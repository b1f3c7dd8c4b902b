"""Writes the tables of metrics and settings in docs/ from their definitions in the code, and the Python API.

``make docs`` runs it; a test fails if a page is out of date.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from heap_exporter.fleet.fleet_families import FLEET_METRICS
from heap_exporter.metrics import METRICS, Instrument
from heap_exporter.settings import Definition, definitions, variable

_UNITS = {1: "", 0.001: " in milliseconds"}

FOLDER = Path(__file__).parent


def metrics_table() -> str:
    """Return the table of metrics."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in (*METRICS, *FLEET_METRICS):
        kind = "counter" if metric.instrument is Instrument.COUNTER else "gauge"
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {kind} | {labels} | {metric.help} |")
    return "\n".join(rows)


def settings_table() -> str:
    """Return the table of settings."""
    rows = ["| variable | default | effect |", "|---|---|---|"]
    for name, definition in definitions().items():
        rule = definition.rule
        also = "".join(f" Also `{alias}`{_UNITS[factor]}." for alias, factor in rule.aliases.items())
        rows.append(f"| `{variable(name)}` | {_default(definition)} | {rule.help}{also} |")
    return "\n".join(rows)


def _default(definition: Definition) -> str:
    """Return the default of a setting as a user types it."""
    default = definition.default
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int | float):
        return f"`{definition.rule.text(default)}`"
    return f"`{default}`" if str(default) not in ("", ".") else ""


TABLES = {"metrics": metrics_table, "settings": settings_table}
"""Page → the function that makes its table."""


def with_table(name: str, text: str) -> str:
    """Return the page ``name`` with a new table between its markers."""
    begin, end = f"<!-- {name}: made by make docs -->", f"<!-- end of {name} -->"
    head, _, rest = text.partition(begin)
    return f"{head}{begin}\n{TABLES[name]()}\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    for table in TABLES:
        page = FOLDER / f"{table}.md"
        page.write_text(with_table(table, page.read_text()))
    runpy.run_path(str(FOLDER / "api_reference.py"), run_name="__main__")
