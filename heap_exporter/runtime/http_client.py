"""Sends single HTTP requests for the commands; the answers are limited in bytes and in total time."""

from __future__ import annotations

import http.client
import urllib.request
from dataclasses import dataclass
from typing import Any

from heap_exporter.runtime.answer_limits import AnswerLimits

MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """The complete answer to an HTTP request, of any status."""

    status: int
    reason: str
    body: bytes


def fetch(request: urllib.request.Request, seconds: float) -> Answer:
    """Send a request and return its answer, which must be complete in ``seconds``.

    It follows no redirect: a POST would become a GET, and a token would go to another host. Raises ``OSError`` if there
    is no complete answer in time, and ``http.client.HTTPException`` if it is not HTTP or larger than 1 MiB.
    """
    limits = AnswerLimits(MAX_ANSWER_BYTES)
    opener = urllib.request.build_opener(_AnyStatus, _LimitedHttp(limits), _LimitedHttps(limits))
    limits.begin(seconds)
    with opener.open(request, timeout=seconds) as response:
        return Answer(response.status, response.reason, response.read())


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Returns answers of every status as they are: no exception, no second request."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:  # noqa: ARG002  # of the base class
        """Return the response."""
        return response

    https_response = http_response


class _LimitedHttp(urllib.request.HTTPHandler):
    def __init__(self, limits: AnswerLimits) -> None:
        super().__init__()
        self._limits = limits

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._limits.applied_to(http.client.HTTPConnection), req)


class _LimitedHttps(urllib.request.HTTPSHandler):
    def __init__(self, limits: AnswerLimits) -> None:
        super().__init__()
        self._limits = limits

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._limits.applied_to(http.client.HTTPSConnection), req)
