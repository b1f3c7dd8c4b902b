"""Ask a running exporter for a snapshot, as `curl -X POST URL/snapshots` does.

The exporter must be reachable: from the same machine by default, from elsewhere with its token.
Exit code 1 when the exporter says no; what it said is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from heap_exporter.cli.screen import say
from heap_exporter.errors import HeapExporterError
from heap_exporter.neighbours import reachable
from heap_exporter.settings import Settings, variable

HELP = "have a running exporter write a snapshot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("url", nargs="?", help=f"default: that of {variable('host')} and {variable('port')}")
    parser.add_argument("--reason", default="asked for on the command line", help="kept in the snapshot")
    parser.add_argument("--token", default=os.environ.get(variable("token"), ""), help=f"default: ${variable('token')}")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="default: %(default)g")
    parser.add_argument("--json", action="store_true", help="print the exporter's answer as it came")


def run(arguments: argparse.Namespace) -> int:
    """Post, print, and return 0 for a snapshot and 1 for a refusal."""
    answer, done = _post(arguments)
    if arguments.json:
        say(json.dumps(answer))
    elif done:
        say(f"{answer['path']}  {answer['content']} of {answer['objects']:,} objects, {answer['bytes']:,} bytes"
            f" in {answer['duration_seconds']:.2f} s, longest pause {answer['pause_seconds'] * 1000:.1f} ms"
            f"{answer['note'] and '; '}{answer['note']}")  # fmt: skip  # one sentence
    else:
        say(f"refused: {answer.get('detail') or answer.get('title')}")
    return 0 if done else 1


def _post(arguments: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Return the exporter's answer and whether it is a snapshot."""
    exporter = _address(arguments.url)
    url = f"{exporter}/snapshots?{urllib.parse.urlencode({'reason': arguments.reason})}"
    headers = {"Authorization": f"Bearer {arguments.token}"} if arguments.token else {}
    try:
        request = urllib.request.Request(url, method="POST", headers=headers)  # noqa: S310  # the user's own address
        with urllib.request.urlopen(request, timeout=arguments.timeout) as response:  # noqa: S310  # as above
            return json.load(response), True
    except urllib.error.HTTPError as error:
        return _problem(error), False
    except (OSError, ValueError) as error:
        raise HeapExporterError(f"no exporter answers at {exporter}: {getattr(error, 'reason', error)}") from None


def _address(url: str | None) -> str:
    """Return the exporter's address without a slash at its end."""
    if url is None:
        settings = Settings.load()
        url = f"{reachable(settings.host)}:{settings.port}"
    return (url if "://" in url else f"http://{url}").rstrip("/")


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        return dict(json.load(error))
    except ValueError:
        return {"title": f"{error.code} {error.reason}"}
