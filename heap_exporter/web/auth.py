"""Who may ask for what.

With a token set, everything but the open paths needs it. Without one, only a client on this machine that also calls
it by a loopback name is answered: a browser that a hostile page has led here by a name of its own (DNS rebinding)
names another host. What changes something is refused to foreign pages in either case.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
from http import HTTPStatus
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from heap_exporter.web.problem import Problem

OPEN_PATHS = frozenset({"/metrics", "/-/healthy"})

CHALLENGES = (
    ("WWW-Authenticate", 'Bearer realm="heap-exporter"'),
    ("WWW-Authenticate", 'Basic realm="heap-exporter", charset="UTF-8"'),
)
"""Basic is for browsers, which can ask a person for a password but not for a token; in one header they overlook it."""

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z.-]+))(?::[0-9]{1,5})?")
"""An address in brackets or a name, and a port. Whatever else a URL could hold there, no honest client sends."""

WHAT_TO_SET = "set HEAP_EXPORTER_TOKEN, restart, and send it as `Authorization: Bearer <token>`"


class Gate:
    """Lets requests pass or raises a :class:`Problem`.

    ``trust_loopback`` says that the server's word on the client's address can be relied on, as our own server's can;
    a mounted app stands behind somebody else's proxy and must not.
    """

    def __init__(self, token: str, *, trust_loopback: bool) -> None:
        self._token = token.encode("utf-8", "surrogateescape")
        self._trust_loopback = trust_loopback

    def check(self, request: Request) -> None:
        """Raise a :class:`Problem` unless the request may go on."""
        if request.path in OPEN_PATHS:
            return
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            _refuse_foreign_pages(request)
        if self._token:
            self._ask_for_token(request.headers.get("Authorization", "").strip())
        else:
            self._ask_for_loopback(request)

    def _ask_for_token(self, sent: str) -> None:
        if not sent:
            raise _unauthorized("a token is needed: send `Authorization: Bearer <the value of HEAP_EXPORTER_TOKEN>`")
        kind, _, credentials = sent.partition(" ")
        if kind.lower() == "bearer":
            given = credentials.strip().encode("latin-1", "replace")
        elif kind.lower() == "basic":
            given = _password(credentials)
        else:
            raise _unauthorized("the Authorization header is of another kind; it must be `Bearer <token>`")
        if not hmac.compare_digest(given, self._token):
            raise _unauthorized(f"the {kind.capitalize()} token is wrong; it must be the value of HEAP_EXPORTER_TOKEN")

    def _ask_for_loopback(self, request: Request) -> None:
        if not self._trust_loopback:
            raise _forbidden(f"without a token only /metrics and /-/healthy are answered here; {WHAT_TO_SET}")
        if not is_loopback(request.remote_addr or ""):
            raise _forbidden(f"without a token only clients on this machine are answered; {WHAT_TO_SET}")
        if not is_loopback(_host_name(request)):
            raise _forbidden(
                f"the Host header does not name this machine; call it localhost or 127.0.0.1, or {WHAT_TO_SET}"
            )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's loopback."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _refuse_foreign_pages(request: Request) -> None:
    origin = request.headers.get("Origin")
    host = request.headers.get("Host", "")
    if origin is not None and _authority(origin) != host.lower():
        raise _forbidden("the request comes from a page of another origin; only this server's own pages may send it")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise _forbidden("the browser says that a page of another site sent this; only this server's own pages may")


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _host_name(request: Request) -> str:
    """Return the Host header without its port and brackets, ``""`` if there is none or it is malformed."""
    host = _HOST.fullmatch(request.headers.get("Host", ""))
    return (host[1] or host[2]) if host else ""


def _password(credentials: str) -> bytes:
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _unauthorized(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, detail, CHALLENGES)


def _forbidden(detail: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, detail)
