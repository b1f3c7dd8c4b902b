"""Asks other processes of the fleet for their pages and their snapshots, and makes answers of theirs."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from heap_exporter.fleet.fleet_pages import FleetMember
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.runtime.json_input import parse_json
from heap_exporter.web.member_client import ANSWER_SECONDS, MemberAnswer, ask
from heap_exporter.web.member_server import ROOT_HEADER
from heap_exporter.web.problem import Problem
from heap_exporter.web.request import Request
from heap_exporter.web.response import Response
from heap_exporter.web.responses import Document

RELAYED_HEADERS = ("vary", "content-security-policy", "location", "retry-after", "allow")
"""Headers of a process's answer that the client needs; those of every answer are added anyway."""

MAX_SECONDS_DIGITS = 5
"""A process refuses to wait longer than this many digits of seconds."""

SNAPSHOT_SECONDS = 600.0
"""How long a process may take for a snapshot that a client waits for."""


class Peers:
    """The other processes that share a snapshot folder."""

    def __init__(self, snapshot_folder: Path) -> None:
        self._snapshot_folder = snapshot_folder

    def page(self, each: FleetMember, request: Request) -> Response:
        """Return the answer of a process to a request of a page. Raises :class:`Problem` without an answer."""
        waits = request.query().get("seconds", "")
        seconds = ANSWER_SECONDS + (int(waits) if waits.isdecimal() and len(waits) < MAX_SECONDS_DIGITS else 0)
        answer = self._ask(each, request, request.method, request.path, seconds)
        headers = [(name, value) for name, value in answer.headers if name.lower() in RELAYED_HEADERS]
        content_type = next((value for name, value in answer.headers if name.lower() == "content-type"), "text/plain")
        return Response(answer.body, content_type, HTTPStatus(answer.status), headers)

    def document(
        self, each: FleetMember, request: Request, method: str, path: str, seconds: float = ANSWER_SECONDS
    ) -> tuple[Document, HTTPStatus]:
        """Return the JSON in the answer of a process, and its status. Raises :class:`Problem`, also for a refusal."""
        answer = self._ask(each, request, method, path, seconds)
        try:
            document = parse_json(answer.body)
            status = HTTPStatus(answer.status)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Problem(HTTPStatus.BAD_GATEWAY, f"process {each.id} answered with something else than JSON")
        if status >= HTTPStatus.BAD_REQUEST:
            headers = [(name, value) for name, value in answer.headers if name.lower() == "retry-after"]
            raise Problem(status, str(document.get("detail", status.phrase)), headers)
        return document, status

    def order_snapshot(self, each: FleetMember, request: Request) -> tuple[Document, HTTPStatus]:
        """Have a process take the snapshot of a request; return its JSON and the status. Raises :class:`Problem`."""
        self._ask(each, request, "GET", "/-/healthy")  # a process that hangs is known at once
        return self.document(each, request, "POST", "/snapshots", SNAPSHOT_SECONDS)

    def _ask(
        self, each: FleetMember, request: Request, method: str, path: str, seconds: float = ANSWER_SECONDS
    ) -> MemberAnswer:
        with late_imports():
            from urllib.parse import quote

        query = f"?{request.query_text}" if request.query_text else ""
        headers = {ROOT_HEADER: request.root_path, "Accept": request.header("Accept")}
        body = b""
        if method == "POST":
            body, headers["Content-Type"] = request.body(), request.content_type
        try:
            return ask(
                self._snapshot_folder, each.member, method, f"{quote(path)}{query}",
                headers=headers, body=body, seconds=seconds,
            )  # fmt: skip  # arguments together
        except TimeoutError:
            detail = f"process {each.id} (pid {each.member.pid}) did not answer within {seconds:g} s"
            raise Problem(HTTPStatus.GATEWAY_TIMEOUT, detail) from None
        except OSError as error:
            detail = f"process {each.id} (pid {each.member.pid}) does not answer: {error.strerror or error}"
            raise Problem(HTTPStatus.BAD_GATEWAY, detail) from error
