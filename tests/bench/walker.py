"""Measures censuses and snapshots of one heap: heap-exporter and other tools, each in a new process.

Prints a Markdown table for each size; the README's is its output. Run it with ``make bench-walker``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.bench.tools import TOOLS

COLUMNS = (
    "tool",
    "wall s",
    "longest pause of a thread ms",
    "of an asyncio loop ms",
    "peak extra memory MiB",
    "file MB",
    "M objects/s",
    "pause ÷ `os.fork()`",
)

BYTES_A_REFERENCE, BYTES_AN_OBJECT = 6, 12
"""The largest size that a snapshot file may have."""

MAX_ROUNDS, OBJECTS_IN_ALL_ROUNDS = 5, 3_000_000
"""The default number of rounds: the slowest tool takes minutes for the largest heap."""

FORKS, FORK_SLACK_SECONDS = 1.5, 0.005
"""The longest pause of a snapshot: a multiple of a bare fork of the same process, and a constant."""


def measured(name: str, tracked: int, rounds: int) -> dict[str, Any] | None:
    """Return the row of one tool, measured in a fresh process; None where the tool is not installed."""
    if not TOOLS[name].installed:
        return None
    command = [sys.executable, "-m", "tests.bench.walker_row", name, str(tracked), str(rounds)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        sys.exit(f"{TOOLS[name].title} failed; its error is above")
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def cells(name: str, row: dict[str, Any] | None) -> list[str]:
    """Return a row as the cells of the table."""
    if row is None:
        return [TOOLS[name].title, "not installed", *[""] * (len(COLUMNS) - 2)]
    rate, forks = "", ""
    if TOOLS[name].native:
        rate = f"{row['objects'] / row['wall_seconds'] / 1e6:.1f}"
        forks = f"{row['thread_pause_seconds'] / row['fork_seconds']:.2f}"
    return [
        TOOLS[name].title,
        f"{row['wall_seconds']:.3f}",
        f"{row['thread_pause_seconds'] * 1e3:.0f}",
        f"{row['loop_pause_seconds'] * 1e3:.0f}",
        f"{row['extra_mib']:.0f}" + (f" + {row['clone_mib']:.1f} (clone)" if row["clone_mib"] is not None else ""),
        f"{row['file_bytes'] / 1e6:.1f}" if row["file_bytes"] else "",
        rate,
        forks,
    ]


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Return a table, its columns first, in Markdown."""
    head, *body = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([head, "|---" + "|---:" * (len(COLUMNS) - 1) + "|", *body])


def promises(row: dict[str, Any]) -> str:
    """Return how a native snapshot stands against what is promised of its file and of its pause."""
    max_bytes = BYTES_A_REFERENCE * row["references"] + BYTES_AN_OBJECT * row["objects"]
    longest_pause = FORKS * row["fork_seconds"] + FORK_SLACK_SECONDS
    return (
        f"Snapshot: {row['objects']:,} objects, {row['references']:,} references; the file takes"
        f" {row['file_bytes'] / max_bytes:.0%} of {BYTES_A_REFERENCE} bytes a reference and {BYTES_AN_OBJECT} an"
        f" object; the pause takes {row['thread_pause_seconds'] / longest_pause:.0%} of {FORKS} ×"
        f" {row['fork_seconds'] * 1e3:.1f} ms (a bare `os.fork()`) + {FORK_SLACK_SECONDS * 1e3:.0f} ms."
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [200_000, 1_000_000, 5_000_000]
    parser.add_argument("--tracked", type=int, nargs="+", default=sizes, help="gc-tracked objects (%(default)s)")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS), help="default: all")
    parser.add_argument(
        "--rounds", type=int, help="the number of rounds for the medians; default: five, fewer for large heaps"
    )
    parser.add_argument("--json", action="store_true", help="print the figures, a row a line")
    arguments = parser.parse_args()
    for tracked in arguments.tracked:
        rounds = arguments.rounds or min(MAX_ROUNDS, max(1, OBJECTS_IN_ALL_ROUNDS // tracked))
        rows = {name: measured(name, tracked, rounds) for name in arguments.tools}
        if arguments.json:
            print("\n".join(json.dumps(row) for row in rows.values()), flush=True)
            continue
        print(f"\n**{tracked:,} gc-tracked objects**, {f'medians of {rounds}' if rounds > 1 else 'one look'}\n")
        print(markdown([COLUMNS, *[cells(name, row) for name, row in rows.items()]]), flush=True)
        if snapshot := rows.get("native-snapshot"):
            print(f"\n{promises(snapshot)}", flush=True)


if __name__ == "__main__":
    main()
