"""A service to measure: a heap of a given size, real HTTP requests, and an agent that can be turned on and off.

Writes JSON lines to its output and reads commands from its input, one a line: ``on`` with settings as JSON, ``off``,
``time``.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import tempfile
import threading

from werkzeug.serving import make_server

import heap_exporter
from heap_exporter import HeapExporter


class Customer:
    """An object of a service: an instance with a dict, a list and strings."""

    def __init__(self, number: int) -> None:
        self.name = f"customer {number}"
        self.orders = [number]
        self.address = {"street": [f"street {number}"]}


def app(environ: dict[str, object], start_response: object) -> list[bytes]:
    """Answer a request with work that allocates and frees, as services do."""
    document = {"orders": [{"id": number, "lines": [str(number)] * 3} for number in range(60)]}
    body = json.dumps(json.loads(json.dumps(document))).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])  # type: ignore[operator]  # WSGI's callable
    return [body]


def figures(exporter: HeapExporter | None) -> dict[str, float]:
    """Return the CPU seconds of the process with its children and of the agent, and the number of samples."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "cpu": sum(each.ru_utime + each.ru_stime for each in used),
        "own": exporter.monitor.reading().counters.cpu_seconds if exporter else 0.0,
        "samples": len(exporter.monitor.history.points()) if exporter else 0,
    }


def main() -> None:
    """Serve, and execute commands."""
    held = [Customer(number) for number in range(int(sys.argv[1]) // 4)]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)  # HTTP/1.1: one connection for all requests
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.port, "held": len(held)}), flush=True)
    exporter = None
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            command, _, settings = line.partition(" ")
            if command == "on":
                exporter = heap_exporter.start(port=0, snapshot_dir=folder, **json.loads(settings))
            elif command == "off\n" and exporter:
                exporter.stop()
            print(json.dumps(figures(exporter)), flush=True)
    server.shutdown()


if __name__ == "__main__":
    main()
