"""Make a running service write a heap snapshot, as `curl -X POST URL/snapshots` does.

    heap-exporter snapshot                         of the service on this machine
    heap-exporter snapshot http://10.0.0.7:9465    of another one; needs its token

URL is the address of heap-exporter in the service. The service writes the file into its own snapshot folder, and the
command prints the path. If the service refuses, the command prints the reason and exits with 1.
"""

from __future__ import annotations

import argparse
import json
import urllib.parse

from heap_exporter.cli.screen import print_line
from heap_exporter.cli.service_client import Members, ServiceClient, add_service_arguments, is_success
from heap_exporter.runtime.formatting import duration, size

HELP = "make a running service write a snapshot"

SNAPSHOT: Members = {"path": str, "content": str, "note": str, "objects": int, "bytes": int,
            "duration_seconds": float | int, "pause_seconds": float | int}  # fmt: skip  # one reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_service_arguments(parser)
    parser.add_argument("--reason", default="requested on the command line", help="the reason to store in the snapshot")
    parser.add_argument("--json", action="store_true", help="print the JSON response of the service")


def run(arguments: argparse.Namespace) -> int:
    """Request a snapshot over HTTP, print the answer, and return the exit code: 0 for a snapshot, 1 for a refusal."""
    service = ServiceClient(arguments)
    query = urllib.parse.urlencode({"reason": arguments.reason}, errors="replace")
    response = service.ask("POST", f"/snapshots?{query}")
    answer, done = service.document(response, SNAPSHOT), is_success(response)
    if arguments.json:
        print_line(json.dumps(answer))
    elif done:
        note = f"; {answer['note']}" if answer["note"] else ""
        print_line(
            f"{answer['path']}  {answer['content']} of {answer['objects']:,} objects, {size(answer['bytes'])}"
            f" in {duration(answer['duration_seconds'])}, longest pause {duration(answer['pause_seconds'])}{note}"
        )
    else:
        print_line(f"refused: {answer.get('detail') or answer.get('title')}")
    return 0 if done else 1
