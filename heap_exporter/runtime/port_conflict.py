"""Recognises another heap-exporter on a port that we wanted."""

from __future__ import annotations

import json
import os
import socket
import time

ANSWER_SECONDS = 1.0
"""How long the other may take to be connected, and again to answer; whoever starts us waits for it."""

ANSWER_BYTES = 4096


def reachable(host: str) -> str:
    """Return the address by which this machine reaches a server that listens on ``host``: ``127.0.0.1`` for all."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # asked, not bound


def is_sibling_exporter(host: str, port: int) -> bool:
    """Return whether a heap-exporter of this process's own process group answers on ``host:port``.

    Workers of one server (gunicorn, multiprocessing) share a process group. Each reports for itself, so the
    ones that come later need a port of their own rather than an error.
    """
    pid = _exporter_pid(host, port)
    if pid is None or not hasattr(os, "getpgid"):
        return False
    try:
        return pid == os.getppid() or os.getpgid(pid) == os.getpgid(0)
    except (OSError, OverflowError):
        return False


def _exporter_pid(host: str, port: int) -> int | None:
    """Return the pid that ``/-/healthy`` reports if a heap-exporter answers there."""
    try:
        answer = json.loads(_health(reachable(host), port).partition(b"\r\n\r\n")[2])
        return int(answer["pid"]) if answer["name"] == "heap-exporter" else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _health(host: str, port: int) -> bytes:
    """Return what has come by the deadline. ``http.client`` would wait anew for each byte."""
    with socket.create_connection((host, port), ANSWER_SECONDS) as connection:
        deadline = time.monotonic() + ANSWER_SECONDS
        connection.sendall(b"GET /-/healthy HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b""
        while len(answer) < ANSWER_BYTES and (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            piece = connection.recv(ANSWER_BYTES)
            if not piece:
                break
            answer += piece
        return answer
