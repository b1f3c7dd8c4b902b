"""Access rules: which client may request which page.

With a token set, every path but the open ones needs it. Without a token, only a client on this machine gets an answer,
and only if its Host header is a loopback name: with DNS rebinding, a hostile page sends a browser here under its own
host name. Requests from pages of another origin never change anything.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.web.problem import Problem
from heap_exporter.web.request import Request

OPEN_PATHS = frozenset({"/metrics", "/-/healthy"})

CHALLENGES = (
    ("WWW-Authenticate", 'Bearer realm="heap-exporter"'),
    ("WWW-Authenticate", 'Basic realm="heap-exporter", charset="UTF-8"'),
)
"""Basic is for browsers, which can prompt for a password but not for a token; they need a header of its own for it."""

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z.-]+))(?::[0-9]{1,5})?")
"""An address in brackets or a name, and a port. The other forms of RFC 3986 are refused: no usual client sends them."""

WHAT_TO_SET = "set HEAP_EXPORTER_TOKEN, restart the service, and send the header `Authorization: Bearer <token>`"


class Gate:
    """Decides which HTTP requests are allowed.

    ``trust_loopback`` means that REMOTE_ADDR is the address of the client. That holds on the exporter's own server; a
    mounted app can be behind a proxy, and all its clients then seem to be local.
    """

    def __init__(self, token: str, *, trust_loopback: bool) -> None:
        self._token = token.encode("utf-8", "surrogateescape")
        self._trust_loopback = trust_loopback

    def check(self, request: Request) -> None:
        """Raise a :class:`Problem` if the HTTP request is not allowed."""
        if request.path in OPEN_PATHS:
            return
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            _check_origin(request)
        if self._token:
            self._check_token(request.header("Authorization").strip())
        else:
            self._check_loopback(request)

    def _check_token(self, sent: str) -> None:
        if not sent:
            raise _unauthorized("this page needs a token: send `Authorization: Bearer <value of HEAP_EXPORTER_TOKEN>`")
        kind, _, credentials = sent.partition(" ")
        if kind.lower() == "bearer":
            given = credentials.strip().encode("latin-1", "replace")
        elif kind.lower() == "basic":
            given = _password(credentials)
        else:
            raise _unauthorized("the Authorization header has an unsupported scheme; it must be `Bearer <token>`")
        with late_imports():
            import hmac  # it costs 4 MiB of memory, and many services have no token

        if not hmac.compare_digest(given, self._token):
            raise _unauthorized(f"the {kind.capitalize()} token is wrong; it must be the value of HEAP_EXPORTER_TOKEN")

    def _check_loopback(self, request: Request) -> None:
        if not self._trust_loopback:
            raise _forbidden(f"without a token this server answers only /metrics and /-/healthy; {WHAT_TO_SET}")
        if not is_loopback(request.remote_address):
            raise _forbidden(f"without a token this server answers only clients on this machine; {WHAT_TO_SET}")
        if not is_loopback(_host_name(request)):
            raise _forbidden(
                f"the Host header does not name this machine; use localhost or 127.0.0.1 in the URL, or {WHAT_TO_SET}"
            )


def is_loopback(host: str) -> bool:
    """Return whether the Host header or the client address of an HTTP request is a loopback one."""
    if host.lower() in ("localhost", "127.0.0.1"):
        return True
    with late_imports():
        import ipaddress  # only other names need it

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _check_origin(request: Request) -> None:
    is_other_origin = _authority(request.header("Origin")) != request.header("Host").lower()
    if request.has_header("Origin") and is_other_origin:
        raise _forbidden("the request comes from a page of another origin; only pages from this server may send it")
    if request.header("Sec-Fetch-Site") not in ("", "none", "same-origin"):
        raise _forbidden("the request comes from a page of another site; only pages from this server may send it")


def _authority(origin: str) -> str | None:
    """Return host and port of an Origin header, ``None`` if it is "null"."""
    return origin.partition("://")[2].lower() or None


def _host_name(request: Request) -> str:
    """Return the Host header without its port and brackets, ``""`` if there is none or it is malformed."""
    host = _HOST.fullmatch(request.header("Host"))
    return (host[1] or host[2]) if host else ""


def _password(credentials: str) -> bytes:
    with late_imports():
        import base64

    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _unauthorized(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, detail, CHALLENGES)


def _forbidden(detail: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, detail)
