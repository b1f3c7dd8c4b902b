"""Make a running service write a heap snapshot, as `curl -X POST URL/snapshots` does.

    heap-exporter snapshot                         of the service on this machine
    heap-exporter snapshot http://10.0.0.7:9465    of another one; needs its token

URL is the address of heap-exporter in the service. The service writes the file into its own snapshot folder, and the
command prints the path. If the service refuses, the command prints the reason and exits with 1.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import urllib.parse
import urllib.request
from types import UnionType
from typing import Any

from heap_exporter.cli.durations import option_seconds
from heap_exporter.cli.screen import print_line
from heap_exporter.errors import HeapExporterError
from heap_exporter.runtime.formatting import duration, size
from heap_exporter.runtime.http_client import fetch
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.redaction import without_secrets
from heap_exporter.runtime.urls import http_url_problem, reachable
from heap_exporter.settings import Settings, variable

HELP = "make a running service write a snapshot"

_WHAT_TO_DO = "use the address that heap_exporter.start() listens on"

Members = dict[str, type | UnionType]

SNAPSHOT: Members = {"path": str, "content": str, "note": str, "objects": int, "bytes": int,
            "duration_seconds": float | int, "pause_seconds": float | int}  # fmt: skip  # one reading
REFUSAL: Members = {"title": str}
"""Members that every answer of heap-exporter has; an answer without them is from another server."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("url", nargs="?", help=f"the address (default: from {variable('host')} and {variable('port')})")
    parser.add_argument("--reason", default="requested on the command line", help="the reason to store in the snapshot")
    parser.add_argument(
        "--token",
        type=_token,
        default=os.environ.get(variable("token"), ""),
        help=f"the service's token (default: ${variable('token')})",
    )
    parser.add_argument(
        "--timeout", type=option_seconds, default=120.0, metavar="TIME", help="how long to wait (default: 2m)"
    )
    parser.add_argument("--json", action="store_true", help="print the JSON response of the service")


def run(arguments: argparse.Namespace) -> int:
    """Request a snapshot over HTTP, print the answer, and return the exit code: 0 for a snapshot, 1 for a refusal."""
    answer, done = _post(arguments)
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


def _post(arguments: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Send the POST request of the command; return the answer, and whether it is a snapshot.

    Raises :class:`HeapExporterError` if another server answers.
    """
    exporter = _address(arguments.url)
    shown = without_secrets(exporter)
    query = urllib.parse.urlencode({"reason": arguments.reason}, errors="replace")
    # Header values travel as latin-1; the exporter compares the bytes of the environment variable.
    token = arguments.token.encode("utf-8", "surrogateescape").decode("latin-1")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        request = urllib.request.Request(f"{exporter}/snapshots?{query}", method="POST", headers=headers)  # noqa: S310  # it is http
        answer = fetch(request, arguments.timeout)
    except OSError as error:
        cause = getattr(error, "reason", error)
        reason = getattr(cause, "strerror", None) or cause
        raise HeapExporterError(
            f"heap-exporter does not answer at {shown}: {reason}; start the service, or give the address that its log "
            "shows"
        ) from None
    except (http.client.HTTPException, ValueError):
        raise _another_server(shown, "unexpected response") from None
    done = 200 <= answer.status < 300
    try:
        return _document(answer.body, SNAPSHOT if done else REFUSAL), done
    except ValueError:
        status = f"{answer.status} {answer.reason}".strip()
        raise _another_server(shown, "unexpected response" if done else status) from None


def _another_server(shown: str, problem: str) -> HeapExporterError:
    return HeapExporterError(f"{shown} is not a heap-exporter server ({problem}); {_WHAT_TO_DO}")


def _address(url: str | None) -> str:
    """Return the address given on the command line without a slash at its end.

    Raises :class:`HeapExporterError` if it is not a valid URL.
    """
    if url is not None and os.path.isfile(url):
        raise HeapExporterError(f"{url} is a file; `heap-exporter report` shows what is in a snapshot")
    if url is None:
        settings = Settings.load()
        host = reachable(settings.host)
        url = f"{f'[{host}]' if ':' in host else host}:{settings.port}"
    address = (url if "://" in url else f"http://{url}").rstrip("/")
    if problem := http_url_problem(address):
        raise HeapExporterError(f"{without_secrets(address)}: {problem}")
    if "@" in urllib.parse.urlsplit(address).netloc:
        raise HeapExporterError(f"{without_secrets(address)}: give the password with --token, not in the address")
    if not address.isascii():
        raise HeapExporterError(
            f"{without_secrets(address)}: write the URL in ASCII: host names as xn--…, paths with % escapes"
        )
    return address


def _document(body: bytes, members: Members) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises ``ValueError`` if it lacks one of these members."""
    document = parse_json(body)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(name), kind) for name, kind in members.items()
    ):
        raise ValueError("not the expected document")
    return document


def _token(text: str) -> str:
    if any(sign < " " or sign == "\x7f" for sign in text):
        raise argparse.ArgumentTypeError(
            f"a token must not contain line breaks or control characters; correct --token or {variable('token')}"
        )
    return text
