"""A stand-in for a pager: prints each alert that Alertmanager posts, one line per alert.

It uses only the standard library, so that it runs in a plain Python image.
"""

from __future__ import annotations

import argparse
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_BODY_BYTES = 1 << 20


class Pager(BaseHTTPRequestHandler):
    """Receives the webhook of Alertmanager by POST; answers GET for health checks."""

    timeout = 10

    def do_GET(self) -> None:
        """Answer a health check."""
        self._answer(HTTPStatus.OK)

    def do_POST(self) -> None:
        """Print the alerts of one message."""
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= MAX_BODY_BYTES:
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        try:
            lines = [_line(alert) for alert in json.loads(self.rfile.read(length))["alerts"]]
        except (ValueError, KeyError, TypeError):
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        for line in lines:
            print(line, flush=True)
        self._answer(HTTPStatus.OK)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: health checks would fill the log."""

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _line(alert: dict[str, Any]) -> str:
    labels, annotations = alert["labels"], alert["annotations"]
    text = annotations.get("description") or annotations.get("summary", "")
    words = filter(None, (alert["status"], labels.get("severity"), labels["alertname"]))
    return f"{' '.join(words)}: {text}"


def main() -> None:
    """Serve until the process ends; the first line of output is the address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0: any free port")
    arguments = parser.parse_args()
    with ThreadingHTTPServer((arguments.host, arguments.port), Pager) as server:
        print(f"pager http://{arguments.host}:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
