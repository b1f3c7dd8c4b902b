"""Sends the requests of commands to heap-exporter in a running service."""

from __future__ import annotations

import argparse
import http.client
import os
import urllib.parse
import urllib.request
from collections.abc import Mapping
from types import UnionType
from typing import Any

from heap_exporter.cli.durations import option_seconds
from heap_exporter.errors import HeapExporterError
from heap_exporter.runtime.http_client import Answer, fetch
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.runtime.redaction import without_secrets
from heap_exporter.runtime.urls import http_url_problem, reachable
from heap_exporter.settings import Settings, variable

_WHAT_TO_DO = "use the address that heap_exporter.start() listens on"

Members = dict[str, type | UnionType]
"""Members that every answer of heap-exporter has; an answer without them is from another server."""

PROBLEM: Members = {"title": str}


def add_service_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the URL of the service, ``--token`` and ``--timeout``."""
    parser.add_argument("url", nargs="?", help=f"the address (default: from {variable('host')} and {variable('port')})")
    parser.add_argument(
        "--token",
        type=_token,
        default=os.environ.get(variable("token"), ""),
        help=f"the service's token (default: ${variable('token')})",
    )
    parser.add_argument(
        "--timeout", type=option_seconds, default=120.0, metavar="TIME", help="how long to wait (default: 2m)"
    )


class ServiceClient:
    """A running service, at the address of a command's arguments. Raises :class:`HeapExporterError` for a bad URL."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._address = _address(arguments.url)
        self._shown = without_secrets(self._address)
        self._timeout_seconds: float = arguments.timeout
        # Header values travel as latin-1; the exporter compares the bytes of the environment variable.
        token = arguments.token.encode("utf-8", "surrogateescape").decode("latin-1")
        self._headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}

    def ask(self, method: str, path: str) -> Answer:
        """Send a request and return the answer, of any status.

        Raises :class:`HeapExporterError` if the service does not answer, or not over HTTP.
        """
        try:
            url = f"{self._address}{path}"
            request = urllib.request.Request(url, method=method, headers=self._headers)  # noqa: S310  # it is http
            return fetch(request, self._timeout_seconds)
        except OSError as error:
            cause = getattr(error, "reason", error)
            reason = getattr(cause, "strerror", None) or cause
            raise HeapExporterError(
                f"heap-exporter does not answer at {self._shown}: {reason}; start the service, or give the address "
                "that its log shows"
            ) from None
        except (http.client.HTTPException, ValueError):
            raise self._another_server("unexpected response") from None

    def document(self, answer: Answer, members: Members) -> dict[str, Any]:
        """Return the JSON object of an answer with these members, or of a problem with its title.

        Raises :class:`HeapExporterError` if it is not an answer of heap-exporter.
        """
        done = is_success(answer)
        try:
            return _document(answer.body, members if done else PROBLEM)
        except ValueError:
            status = f"{answer.status} {answer.reason}".strip()
            raise self._another_server("unexpected response" if done else status) from None

    def _another_server(self, problem: str) -> HeapExporterError:
        return HeapExporterError(f"{self._shown} is not a heap-exporter server ({problem}); {_WHAT_TO_DO}")


def with_query(path: str, parameters: Mapping[str, str | None]) -> str:
    """Return a path with those parameters that are not ``None``."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{path}?{urllib.parse.urlencode(given, errors='replace')}" if given else path


def refusal(problem: Mapping[str, Any]) -> str:
    """Return the line that a command prints for an answer that is a problem."""
    return f"refused: {problem.get('detail') or problem.get('title')}"


def is_success(answer: Answer) -> bool:
    """Return whether the service did what the request asked for."""
    return 200 <= answer.status < 300


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
