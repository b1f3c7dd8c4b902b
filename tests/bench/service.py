"""A service to measure: a heap of a given size, real HTTP requests, and an agent that can be turned on and off.

Speaks JSON lines on its output and takes commands, one a line, on its input: ``on SPEED``, ``off``, ``time``.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from cheroot.wsgi import Server

import heap_exporter


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


def main() -> None:
    """Serve and obey."""
    held = [Customer(number) for number in range(int(sys.argv[1]) // 4)]
    server = Server(("127.0.0.1", 0), app, numthreads=1)
    server.prepare()
    threading.Thread(target=server.serve, daemon=True).start()
    print(json.dumps({"port": server.bind_addr[1], "held": len(held)}), flush=True)
    exporter = None
    for line in sys.stdin:
        match line.split():
            case ["on", speed]:
                exporter = heap_exporter.start(
                    port=0,
                    interval_seconds=15 / float(speed),
                    census_interval_seconds=60 / float(speed),
                    census_cpu_percent=0.5 * float(speed),
                )
            case ["off"]:
                if exporter:
                    exporter.stop()
        own = exporter.monitor.reading().tally.cpu_seconds if exporter else 0.0
        print(json.dumps({"cpu": time.process_time(), "own": own}), flush=True)
    server.stop()


if __name__ == "__main__":
    main()
