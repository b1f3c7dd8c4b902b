"""Recognises another heap-exporter on a port that we wanted."""

from __future__ import annotations

import http.client
import json
import os

ANSWER_SECONDS = 1.0


def is_relative(host: str, port: int) -> bool:
    """Return whether a heap-exporter of this process's own process group answers on ``host:port``.

    Workers of one server (gunicorn, multiprocessing) share a process group. Each reports for itself, so the
    ones that come later need a port of their own rather than an error.
    """
    pid = _exporter_pid(host, port)
    if pid is None or not hasattr(os, "getpgid"):
        return False
    try:
        return pid == os.getppid() or os.getpgid(pid) == os.getpgid(0)
    except OSError:
        return False


def _exporter_pid(host: str, port: int) -> int | None:
    """Return the pid that ``/-/healthy`` reports if a heap-exporter answers there."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # asked, not bound
    connection = http.client.HTTPConnection(reachable, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/-/healthy")
        answer = json.loads(connection.getresponse().read(4096))
        return int(answer["pid"]) if answer["name"] == "heap-exporter" else None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
