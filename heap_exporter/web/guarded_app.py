"""A WSGI application of which each request is checked before it is answered, and each exception becomes an answer."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from heap_exporter.runtime.logs import log
from heap_exporter.web.auth import Gate
from heap_exporter.web.negotiation import accepts_gzip
from heap_exporter.web.problem import Problem
from heap_exporter.web.request import Request
from heap_exporter.web.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GZIP_FORMAT = 31
"""The ``wbits`` of zlib for the format of gzip."""

GZIP_LEVEL = 1
"""The fastest; metrics shrink to a tenth at any level."""

SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class GuardedApp:
    """The WSGI application; ``trust_loopback`` is that of :class:`~heap_exporter.web.auth.Gate`."""

    def __init__(self, token: str, *, trust_loopback: bool) -> None:
        self._gate = Gate(token, trust_loopback=trust_loopback)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. Every exception becomes an answer."""
        response = self._answer(Request(environ))
        response.headers += SAFE_HEADERS.items()
        return response(environ, start_response)

    def respond(self, request: Request) -> Response:
        """Return the answer to a request that is allowed. Raises :class:`Problem`."""
        raise NotImplementedError

    def _answer(self, request: Request) -> Response:
        try:
            self._gate.check(request)
            return self.respond(request)
        except Problem as problem:
            return problem.response()
        except Exception:
            log.exception("heap-exporter failed to answer %s %s", request.method, request.path)
            detail = "heap-exporter failed to answer the request; the log of the service has the traceback"
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail).response()


def metrics_response(request: Request, body: bytes, content_type: str) -> Response:
    """Return the answer with a body of /metrics, compressed if the client accepts that."""
    headers = [("Vary", "Accept, Accept-Encoding")]
    if accepts_gzip(request.header("Accept-Encoding")):
        body = zlib.compress(body, GZIP_LEVEL, wbits=GZIP_FORMAT)
        headers.append(("Content-Encoding", "gzip"))
    return Response(body, content_type, headers=headers)
