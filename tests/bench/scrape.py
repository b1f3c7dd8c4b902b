"""Measures a scrape, and one of client_python's own server with its default collectors, in one run."""

from __future__ import annotations

import http.client
import statistics
import time

from prometheus_client import start_http_server
from rich.console import Console
from rich.table import Table

import heap_exporter

ROUNDS = 20
SCRAPES = 50


def scrape_milliseconds(client: http.client.HTTPConnection, headers: dict[str, str]) -> float:
    """Return the median time of a scrape over one connection."""
    times = []
    for _ in range(SCRAPES):
        began = time.perf_counter()
        client.request("GET", "/metrics", headers=headers)
        client.getresponse().read()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def main() -> None:
    """Measure in alternation, and print the table."""
    server, _ = start_http_server(0, addr="127.0.0.1")
    with heap_exporter.start(port=0) as exporter:
        time.sleep(1)
        assert exporter.url
        port_of_exporter = exporter.url.rstrip("/").rsplit(":", 1)[1]
        table = Table(title=f"time of a scrape over HTTP, medians of {ROUNDS} alternating rounds of {SCRAPES}")
        for column in ("encoding", "client_python, default collectors", "heap-exporter (its own + the same)", "ratio"):
            table.add_column(column, justify="right")
        for encoding in ("identity", "gzip"):
            client_ms: list[float] = []
            exporter_ms: list[float] = []
            for _ in range(ROUNDS):
                for port, found in ((server.server_port, client_ms), (int(port_of_exporter), exporter_ms)):
                    client = http.client.HTTPConnection("127.0.0.1", port)
                    found.append(scrape_milliseconds(client, {"Accept-Encoding": encoding}))
                    client.close()
            base, mine = statistics.median(client_ms), statistics.median(exporter_ms)
            table.add_row(encoding, f"{base:.3f} ms", f"{mine:.3f} ms", f"{mine / base:.2f}")
        Console(width=120).print(table)
    server.shutdown()


if __name__ == "__main__":
    main()
