"""Serves the shop, with heap-exporter in the same process as in any service."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
from http.server import ThreadingHTTPServer

import heap_exporter
from heap_exporter.errors import HeapExporterError

from .pages import ShopHandler

MIN_GROWTH_PERCENT = 10.0
"""The process is small: a few memory pages are several percent. The leak grows by tens of percent in a window."""


def main() -> None:
    """Serve the shop until a signal ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9465, help="the port of heap-exporter")
    parser.add_argument("--shop-port", type=int, default=8000)
    parser.add_argument("--window", type=float, default=20.0)
    parser.add_argument("--leaky", action="store_true")
    arguments = parser.parse_args()

    try:
        _serve(arguments)
    except (HeapExporterError, OSError) as error:
        sys.exit(f"the demo's shop: {error}")


def _serve(arguments: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.ERROR)  # the demo shows the state
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a clean stop, as servers do it
    ShopHandler.expire = not arguments.leaky
    shop = ThreadingHTTPServer((arguments.host, arguments.shop_port), ShopHandler)
    with heap_exporter.start(
        host=arguments.host,
        port=arguments.port,
        strict=True,
        window=arguments.window,
        interval=arguments.window / 40,
        census_interval=arguments.window / 10,
        census_cpu="10%",
        growth_threshold=MIN_GROWTH_PERCENT,
        snapshot_cooldown=arguments.window,
        snapshots_a_day=1000,
    ) as exporter:
        print(f"shop http://{arguments.host}:{shop.server_port}/ exporter {exporter.url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            shop.serve_forever()
        shop.server_close()


if __name__ == "__main__":
    main()
