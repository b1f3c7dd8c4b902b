"""List the processes of the services on one port: memory, growth, and the state of the leak detector.

    heap-exporter processes                         of the services on this machine
    heap-exporter processes http://10.0.0.7:9465    of others; needs their token

`heap-exporter status --worker N` shows why one is in its state, `heap-exporter snapshot --worker N` takes a snapshot.
"""

from __future__ import annotations

import argparse
import json

from heap_exporter.cli import screen
from heap_exporter.cli.screen import print_line
from heap_exporter.cli.service_client import ServiceClient, add_service_arguments, is_success, refusal

HELP = "list the processes of the running services"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_service_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the JSON response of the service")


def run(arguments: argparse.Namespace) -> int:
    """Print the processes of the services, and return the exit code: 0 for a list, 1 for a refusal."""
    from heap_exporter.report import process_text

    service = ServiceClient(arguments)
    response = service.ask("GET", "/processes")
    answer, done = service.document(response, {"processes": list}), is_success(response)
    if done:
        screen.print_result(
            arguments, answer, [] if arguments.json else process_text.process_table(answer["processes"])
        )
    else:
        print_line(json.dumps(answer) if arguments.json else refusal(answer))
    return 0 if done else 1
