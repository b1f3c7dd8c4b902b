"""Print the table of shapes and alerts, from a run of promtool; ``--write`` puts it into the runbook too."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from alerts.tests.expectations import ALERTS, AMBIGUOUS, CLEARED, CONFIRMED, HEALTHY, LEAKS, PROBLEMS, SHAPES
from alerts.tests.shapes import HOUR
from alerts.tests.unit_test_file import Fired, first_fired, write_unit_test_files
from tests import servers
from tests.servers.versions import version

ALERTS_FOLDER = Path(__file__).parents[1]
RULES, RUNBOOK = ALERTS_FOLDER / "heap_exporter.rules.yml", ALERTS_FOLDER.parent / "docs" / "runbook.md"
BEGIN, END = "<!-- the table below is written by `make alerts-table` -->", "<!-- end of the table -->"

PARTS = {
    "Leaks": LEAKS,
    "Other problems": PROBLEMS,
    "Healthy, but only time shows that it is no leak": AMBIGUOUS,
    "Healthy, and the detector knows it": CLEARED,
    "Healthy": HEALTHY,
}

SENTENCES = {shape.sentence for shape in SHAPES}


def markdown(fired: Fired) -> str:
    """Return the table: the minutes with the detector, and those of the rules alone where they differ."""
    lines = [
        "| Shape | watched for | " + " | ".join(alert.removeprefix("PythonHeap") for alert in ALERTS) + " |",
        "|---|---:|" + "---:|" * len(ALERTS),
    ]
    for title, shapes in PARTS.items():
        lines.append(f"| **{title}** | |" + " |" * len(ALERTS))
        for shape in shapes:
            judged, alone = fired.with_detector[shape.sentence], fired.rules_alone[shape.sentence]
            cells = (_cell(judged.get(alert), (judged if alert == CONFIRMED else alone).get(alert)) for alert in ALERTS)
            lines.append(f"| {shape.sentence} | {shape.minutes / HOUR:g} h | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(judged: int | None, alone: int | None) -> str:
    shown = "never" if judged is None else f"**{judged} min**"
    return shown if judged == alone else f"{shown} (alone: {'never' if alone is None else alone})"


def table_in(runbook: str) -> str:
    """Return the table that a runbook holds between the markers."""
    return runbook.split(BEGIN, 1)[1].split(END, 1)[0].strip()


def fired_in(table: str) -> Fired:
    """Return the minutes in a table that `markdown` made."""
    rules_alone: dict[str, dict[str, int]] = {}
    with_detector: dict[str, dict[str, int]] = {}
    for line in table.splitlines():
        sentence, *cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
        if sentence in SENTENCES:
            minutes = {alert: _minutes_in(cell) for alert, cell in zip(ALERTS, cells[1:], strict=True)}
            with_detector[sentence] = {alert: judged for alert, (judged, _) in minutes.items() if judged is not None}
            rules_alone[sentence] = {
                alert: alone for alert, (_, alone) in minutes.items() if alone is not None and alert != CONFIRMED
            }
    return Fired(rules_alone, with_detector)


def _minutes_in(cell: str) -> tuple[int | None, int | None]:
    """Return the minute with the detector, and the minute of the rules alone."""
    judged_text, _, alone_text = cell.partition("alone:")
    judged, alone = (
        int(found[0]) if (found := re.search(r"\d+", text)) else None for text in (judged_text, alone_text)
    )
    return judged, alone if alone_text else judged


def with_table(runbook: str, table: str) -> str:
    """Return the runbook with another table between the markers."""
    before, rest = runbook.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END, 1)[1]}"


def main() -> int:
    """Print the table, and write it if asked; return 1 without promtool 3 or newer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into the runbook too")
    options = parser.parse_args()
    promtool = servers.find("promtool")
    if promtool is None or (version(promtool) or (0, 0)) < (3, 0):
        print("promtool 3 is neither in .servers/ nor on PATH; run `make servers` to install it", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        table = markdown(first_fired(promtool, write_unit_test_files(RULES, SHAPES, Path(scratch))))
    if options.write:
        runbook = RUNBOOK.read_text()
        RUNBOOK.write_text(with_table(runbook, table))
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
