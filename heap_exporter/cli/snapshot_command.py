"""Make a running service write a heap snapshot, as `curl -X POST URL/snapshots` does.

    heap-exporter snapshot                         of the service on this machine
    heap-exporter snapshot http://10.0.0.7:9465    of another one; needs its token
    heap-exporter snapshot --worker 3              of one process of the service; `processes` lists them
    heap-exporter snapshot --all                   of each process, one after the other

URL is the address of heap-exporter in the service. Of several processes the one that grows fastest takes the snapshot,
unless an option names another. The service writes the file into its own snapshot folder, and the
command prints the path. If the service refuses, the command prints the reason and exits with 1.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from heap_exporter.cli.screen import print_line
from heap_exporter.cli.service_client import (
    Members,
    ServiceClient,
    add_service_arguments,
    is_success,
    refusal,
    with_query,
)
from heap_exporter.runtime.formatting import duration, size

CHOICES = ("fastest-growing", "largest", "suspected")

HELP = "make a running service write a snapshot"

SNAPSHOT: Members = {"path": str, "content": str, "note": str, "objects": int, "bytes": int,
            "duration_seconds": float | int, "pause_seconds": float | int}  # fmt: skip  # one reading
ALL: Members = {"processes": list}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_service_arguments(parser)
    parser.add_argument("--reason", default="requested on the command line", help="the reason to store in the snapshot")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--worker", metavar="N", help="the process with this number")
    choice.add_argument("--pid", metavar="PID", help="the process with this pid")
    choice.add_argument("--which", choices=CHOICES, metavar="HOW", help=f"{', '.join(CHOICES)} (default: {CHOICES[0]})")
    choice.add_argument("--all", action="store_true", help="all processes, one after the other")
    parser.add_argument("--json", action="store_true", help="print the JSON response of the service")


def run(arguments: argparse.Namespace) -> int:
    """Request a snapshot over HTTP, print the answer, and return the exit code: 0 for a snapshot, 1 for a refusal."""
    service = ServiceClient(arguments)
    response = service.ask("POST", with_query("/snapshots", _query(arguments)))
    answer, done = service.document(response, ALL if arguments.all else SNAPSHOT), is_success(response)
    if arguments.json:
        print_line(json.dumps(answer))
    elif done:
        print_line(_ordered(answer["processes"]) if arguments.all else _written(answer))
    else:
        print_line(refusal(answer))
    return 0 if done else 1


def _query(arguments: argparse.Namespace) -> dict[str, str | None]:
    which = "all" if arguments.all else arguments.which
    return {"reason": arguments.reason, "worker": arguments.worker, "pid": arguments.pid, "which": which}


def _written(answer: dict[str, Any]) -> str:
    note = f"; {answer['note']}" if answer["note"] else ""
    return (
        f"{answer['path']}  {answer['content']} of {answer['objects']:,} objects, {size(answer['bytes'])}"
        f" in {duration(answer['duration_seconds'])}, longest pause {duration(answer['pause_seconds'])}{note}"
    )


def _ordered(processes: list[dict[str, Any]]) -> str:
    names = ", ".join(f"{each['service']}-{each['worker']}" for each in processes)
    return f"one after the other takes a snapshot: {names}; `heap-exporter list` shows those that are written"
