"""Runs small real programs, and exchanges lines and requests with them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

PATIENCE_SECONDS = 60.0
PACE_SECONDS = 0.1

KEEPS_NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
"""For a program with a limit on the size of files: Python would store the bytecode of an imported module incomplete."""

Answer = TypeVar("Answer")


@contextlib.contextmanager
def program(code: str, folder: Path, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``code`` as a program in ``folder``; it is killed at the end if it still runs."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(code))
    with subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment(folder, **environ),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def environment(folder: Path, **environ: str) -> dict[str, str]:
    """Return an environment without the caller's settings of the exporter, and with snapshots in ``folder``."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("HEAP_", "OTEL_"))}
    return {**inherited, "HEAP_EXPORTER_SNAPSHOT_DIR": str(folder / "snapshots"), "PYTHONUNBUFFERED": "1", **environ}


def window_settings(seconds: float) -> dict[str, str]:
    """Return settings for a window of ``seconds`` with forty samples, or a longer one where the machine is busy."""
    window = seconds * slowdown()
    return {
        "HEAP_EXPORTER_WINDOW": f"{window:.3f}",
        "HEAP_EXPORTER_INTERVAL": f"{window / 40:.3f}",
        "HEAP_EXPORTER_CENSUS_INTERVAL": f"{window / 10:.3f}",
        "HEAP_EXPORTER_CENSUS_CPU": "20",
    }


def slowdown() -> float:
    """Return how many times longer a thread takes now than alone on the machine; 1.0 or more."""
    begun, busy_until = time.monotonic(), time.thread_time() + PACE_SECONDS
    while time.thread_time() < busy_until:
        pass
    return max((time.monotonic() - begun) / PACE_SECONDS, 1.0)


def next_json(process: subprocess.Popen[str]) -> Any:
    """Return the next line of the program's output, which is JSON. Kills a program that prints nothing for long."""
    assert process.stdout is not None
    patience = threading.Timer(4 * PATIENCE_SECONDS, process.kill)
    patience.start()
    line = process.stdout.readline()
    patience.cancel()
    if not line:
        process.wait(PATIENCE_SECONDS)
        raise AssertionError(f"the program ended: {process.stderr.read() if process.stderr else ''}")
    return json.loads(line)


def get(url: str, accept: str = "application/json", data: bytes | None = None) -> str:
    """Return the answer to a GET, or to a POST of ``data``."""
    request = urllib.request.Request(url, data=data, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
        return str(response.read().decode())


def get_json(url: str, data: bytes | None = None) -> Any:
    """Return the JSON in the answer to a request."""
    return json.loads(get(url, data=data))


def metrics(url: str) -> dict[str, float]:
    """Return the samples of a metrics page: name and labels without those of the process, as written → value."""
    lines = (line for line in get(f"{url}metrics", "text/plain").splitlines() if not line.startswith("#"))
    return {_without_process(name): float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def _without_process(series: str) -> str:
    """Return a series without the labels that every series of a process has."""
    return re.sub(r',?\b(service|worker)="[^"]*"', "", series).replace("{,", "{").removesuffix("{}")


def eventually(
    ask: Callable[[], Answer],
    wanted: Callable[[Answer], Any] = bool,
    seconds: float = PATIENCE_SECONDS,
    pause_seconds: float = 0.05,
) -> Answer:
    """Return the first answer that is wanted. Repeats the request after network errors, until a deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer: Answer | None = None
        try:
            answer = ask()
            if wanted(answer):
                return answer
        except urllib.error.HTTPError as refusal:
            refusal.close()
        except (OSError, http.client.HTTPException):
            pass
        if time.monotonic() > deadline:
            raise AssertionError(f"never came; last answer: {answer!r}")
        time.sleep(pause_seconds)
