"""A process with an exporter, and a thousand clients that request a snapshot at once."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REQUEST = b"POST /snapshots?reason=storm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
PATIENCE_SECONDS = 240.0
MIN_DESCRIPTORS = 4096

PROGRAM = """
import json, sys, threading, time
from pathlib import Path
from heap_exporter.snapshot import turns
from heap_exporter.snapshot.store import Store
from heap_exporter.snapshot.service import Snapshots
from heap_exporter.runtime.threads import start_thread
from heap_exporter.web import server as limits
from heap_exporter.walker.fallback_walker import choose_walker
from heap_exporter.web.app import App
from heap_exporter.web.server import HttpServer
# The thousand clients are one process, which on a busy machine takes seconds to send all requests.
limits.PROTECTED_SECONDS = limits.REQUEST_SECONDS = limits.QUEUE_SECONDS = turns.BURST_SECONDS = 600.0
held = [{"key": [number]} for number in range(int(sys.argv[2]))]
snapshots = Snapshots(choose_walker("auto"), Store(Path(sys.argv[1]), 20), lambda: None)
class Source:
    pass
source = Source()
source.snapshots = snapshots
server = HttpServer(App(source, lambda accept: (b"", "text/plain"), token="", trust_loopback=True), "127.0.0.1", 0)
server.start()
max_threads, late = 0, []
def beat():
    global max_threads
    while True:
        due = time.perf_counter() + 0.005
        time.sleep(0.005)
        late.append(time.perf_counter() - due)
        max_threads = max(max_threads, threading.active_count())
threading.Thread(target=beat, daemon=True).start()
print(json.dumps({"port": server.port}), flush=True)
for line in sys.stdin:
    while len(late) < 100:
        time.sleep(0.01)
    calm, late[:] = sorted(late), []
    late_ms = [round(1000 * calm[int(len(calm) * share)], 2) for share in (0.5, 0.9, 0.99, 0.9999)]
    print(json.dumps({"threads": max_threads, "outcomes": snapshots.outcomes, "late_ms": late_ms}), flush=True)
"""


@dataclass
class Storm:
    """The answers to a thousand clients. A connection that broke counts as status 0."""

    statuses: Counter[int] = field(default_factory=Counter)
    without_retry: int = 0
    seconds: float = 0.0


def storm(*ports: int, clients: int = 1000) -> Storm:
    """Send all requests at once, to the ports in turn; return when all are answered."""
    found = Storm()

    async def post(port: int) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(REQUEST)
            answer = await reader.read()
            writer.close()
        except OSError:
            answer = b""
        status = int(answer.split(b" ", 2)[1]) if answer else 0
        found.statuses[status] += 1
        found.without_retry += status == 429 and b"\r\nRetry-After: " not in answer

    async def post_all() -> None:
        requests = (post(ports[number % len(ports)]) for number in range(clients))
        await asyncio.wait_for(asyncio.gather(*requests), PATIENCE_SECONDS)

    began = time.monotonic()
    with _descriptors():
        asyncio.run(post_all())
    found.seconds = time.monotonic() - began
    return found


@contextmanager
def _descriptors() -> Iterator[None]:
    """Raise the limit of this process on descriptors: it needs a thousand, and 1024 is a usual limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, MIN_DESCRIPTORS)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def process_with_server(folder: Path, objects: int) -> Iterator[Callable[[], dict[str, Any]]]:
    """Run a process with ``objects``; yield a function that returns its ``port`` first, and then its measurements."""
    command = [sys.executable, "-c", PROGRAM, str(folder), str(objects)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        commands, output = process.stdin, process.stdout
        first = iter([output.readline()])

        def state() -> dict[str, Any]:
            line = next(first, "")
            if not line:
                commands.write("\n")
                commands.flush()
                line = output.readline()
            found: dict[str, Any] = json.loads(line)
            return found

        try:
            yield state
        finally:
            process.kill()
