"""Recognises another heap-exporter that already listens on the wanted port."""

from __future__ import annotations

import json
import os
import socket
import time

ANSWER_SECONDS = 1.0
"""Timeout of the connection, and again of the answer; ``start()`` waits for both."""

ANSWER_BYTES = 4096


def reachable(host: str) -> str:
    """Return the local address of a server that listens on ``host``: ``127.0.0.1`` if that is all addresses."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # not bound here


def is_sibling_exporter(host: str, port: int) -> bool:
    """Return whether a heap-exporter of this process's parent or process group answers on ``host:port``.

    Workers of one server (gunicorn, multiprocessing) share a process group. Each has an exporter of its own, so a
    worker that starts later takes another port.
    """
    pid = _exporter_pid(host, port)
    if pid is None or not hasattr(os, "getpgid"):
        return False
    try:
        return pid == os.getppid() or os.getpgid(pid) == os.getpgid(0)
    except (OSError, OverflowError):
        return False


def _exporter_pid(host: str, port: int) -> int | None:
    """Return the pid of the process that has a port, ``None`` if it is no heap-exporter."""
    try:
        answer = json.loads(_health(reachable(host), port).partition(b"\r\n\r\n")[2])
        return int(answer["pid"]) if answer["name"] == "heap-exporter" else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _health(host: str, port: int) -> bytes:
    """Return the answer that has arrived by the deadline; a timeout of ``http.client`` restarts with each byte."""
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
