"""Sends HTTP requests to a member over its unix socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from heap_exporter.fleet.fleet_pages import socket_name
from heap_exporter.fleet.slots import open_fleet
from heap_exporter.model import Member
from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.web.member_server import check_peer

ANSWER_SECONDS = 5.0
"""How long a member may take for its answer."""

MAX_ANSWER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class MemberAnswer:
    """The complete answer of a member, of any status."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def ask(
    snapshot_folder: Path,
    member: Member,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    seconds: float = ANSWER_SECONDS,
) -> MemberAnswer:
    """Return a member's answer to an HTTP request. ``target`` is the encoded path with the query.

    Raises ``OSError``: ``TimeoutError`` without a complete answer in some seconds, ``ConnectionError`` if the process
    has ended or the answer is not HTTP, and ``PermissionError`` if another user answers.
    """
    with late_imports():
        import http.client  # only a hub needs it

        from heap_exporter.runtime.answer_limits import AnswerLimits

    limits = AnswerLimits(MAX_ANSWER_BYTES)
    connection = limits.applied_to(http.client.HTTPConnection)("localhost", timeout=seconds)
    limits.begin(seconds)
    with closing(connection):
        connection.sock = _connect(snapshot_folder, member, seconds)
        try:
            connection.request(method, target, body or None, {**headers, "Connection": "close"})
            response = connection.getresponse()
            return MemberAnswer(response.status, tuple(response.getheaders()), response.read())
        except http.client.HTTPException as error:
            raise ConnectionError(f"its answer is not complete: {error}") from error


def _connect(snapshot_folder: Path, member: Member, seconds: float) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.settimeout(seconds)
        with open_fleet(snapshot_folder) as folder:
            connected.connect(f"/proc/self/fd/{folder.descriptor}/{socket_name(member)}")
        check_peer(connected)
    except BaseException:
        connected.close()
        raise
    return connected
