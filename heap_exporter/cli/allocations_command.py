"""Show which lines of a running service allocated the memory that is not freed.

    heap-exporter allocations                          of the service on this machine
    heap-exporter allocations --seconds 30             what grows in the next 30 seconds
    heap-exporter allocations http://10.0.0.7:9465     of another service; needs its token
    heap-exporter allocations -o heap.pb.gz            write a profile for `go tool pprof`

If the service does not sample allocations, --seconds makes it do so for that time. The error after ± is two standard
errors. If the service refuses, the command prints the reason and exits with 1.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from heap_exporter.cli.files import output_file, output_path
from heap_exporter.cli.screen import add_arguments as add_screen_arguments
from heap_exporter.cli.screen import print_line
from heap_exporter.cli.service_client import Members, ServiceClient, add_service_arguments, is_success
from heap_exporter.runtime.formatting import size
from heap_exporter.runtime.http_client import Answer

HELP = "show which lines of a running service allocated memory"

HOOKS: Members = {"hooks": str}
PROFILE: Members = {"live_bytes": int, "lines": list, "interval_bytes": int, "samples": int}
CONFLICT = 409


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_service_arguments(parser)
    parser.add_argument("--seconds", type=int, metavar="N", help="show the growth in the next seconds, 60 at most")
    parser.add_argument("-o", "--output", type=output_path, metavar="FILE", help="write a pprof profile (.pb.gz)")
    add_screen_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the lines that allocated, or write a profile. Return the exit code: 0, or 1 for a refusal."""
    service = ServiceClient(arguments)
    if not arguments.seconds or service.ask("GET", "/allocations").status != CONFLICT:
        return _show(service, arguments)
    answer = service.ask("POST", "/allocations?state=on")
    if not is_success(answer):
        return _refused(service, answer)
    try:
        return _show(service, arguments)
    finally:
        service.ask("POST", "/allocations?state=off")


def _show(service: ServiceClient, arguments: argparse.Namespace) -> int:
    path = "/debug/pprof/heap" if arguments.output else "/allocations"
    answer = service.ask("GET", f"{path}?seconds={arguments.seconds}" if arguments.seconds else path)
    if not is_success(answer):
        return _refused(service, answer)
    if arguments.output:
        with output_file(arguments.output) as part:
            byte_count = part.write_bytes(answer.body)
        print_line(f"written to {arguments.output} ({size(byte_count)})")
        return 0
    profile = service.document(answer, PROFILE)
    if arguments.json:
        print_line(json.dumps(profile))
        return 0
    for line in profile["lines"][: arguments.limit]:
        print_line(_row(line))
    print_line(f"{size(profile['live_bytes'])} in all by {profile['samples']:,} samples, one in "
               f"{size(profile['interval_bytes'])}")  # fmt: skip  # one sentence
    return 0


def _refused(service: ServiceClient, answer: Answer) -> int:
    problem = service.document(answer, HOOKS)
    print_line(f"refused: {problem.get('detail') or problem.get('title')}")
    return 1


def _row(line: dict[str, Any]) -> str:
    amount = f"{size(line['bytes'])} ± {size(line['plus_minus_bytes'])}"
    caller = line["caller"]
    called = f", called at {caller['file']}:{caller['line']} in {caller['function']}" if caller else ""
    return f"{amount:>24}  {line['file']}:{line['line']} in {line['function']}{called}"
