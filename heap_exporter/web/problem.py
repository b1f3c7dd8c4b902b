"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus

from heap_exporter.web.response import Response

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):  # the name in RFC 9457
    """An HTTP error answer: a status, a sentence on what to do, and headers."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = list(headers)

    def response(self) -> Response:
        """Return the problem as an HTTP answer."""
        return Response(body(self.status, self.detail), CONTENT_TYPE, self.status, self.headers)


def body(status: HTTPStatus, detail: str) -> bytes:
    """Return the JSON body of an HTTP error answer."""
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return json.dumps(problem).encode() + b"\n"
