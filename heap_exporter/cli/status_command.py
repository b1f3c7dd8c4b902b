"""Show the verdict on a running service: whether memory leaks, how fast, what holds it, and what to do.

    heap-exporter status                 on this machine: the worst process
    heap-exporter status --worker 3      one process
    heap-exporter status 10.0.0.7:9465   on another machine; needs its token

`heap-exporter processes` lists the processes.
"""

from __future__ import annotations

import argparse
import json

from heap_exporter.cli import screen
from heap_exporter.cli.screen import print_line
from heap_exporter.cli.service_client import ServiceClient, add_service_arguments, is_success, refusal, with_query

HELP = "show the verdict on a running service"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_service_arguments(parser)
    parser.add_argument("--worker", metavar="N", help="the process with this number (default: the worst one)")
    parser.add_argument("--json", action="store_true", help="print the JSON response of the service")


def run(arguments: argparse.Namespace) -> int:
    """Print a verdict, and return the exit code: 0 for a verdict, 1 for a refusal, as before the first verdict."""
    from heap_exporter.report import process_text

    service = ServiceClient(arguments)
    response = service.ask("GET", with_query("/verdict", {"worker": arguments.worker}))
    answer, done = service.document(response, {"state": str}), is_success(response)
    if done:
        screen.print_result(arguments, answer, [] if arguments.json else process_text.verdict_lines(answer))
    else:
        print_line(json.dumps(answer) if arguments.json else refusal(answer))
    return 0 if done else 1
