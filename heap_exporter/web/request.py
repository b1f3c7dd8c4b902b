"""The HTTP request that a page answers, read from its WSGI environment."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from heap_exporter.runtime.fork_pause import late_imports
from heap_exporter.web.problem import Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BODY_BYTES = 64 * 1024
"""Maximum size of a request's body; a reason needs no more."""

FORM = "application/x-www-form-urlencoded"


class Request:
    """An HTTP request; ``path`` is the one below ``root_path``, where the pages are mounted."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ
        self._body: bytes | None = None
        self.method: str = environ["REQUEST_METHOD"]
        self.path = _text(environ.get("PATH_INFO", "")) or "/"
        self.root_path = _text(environ.get("SCRIPT_NAME", "")).rstrip("/")
        self.remote_address: str = environ.get("REMOTE_ADDR", "")

    def below(self, folder: str, path: str) -> Request:
        """Return the same HTTP request to ``path`` of pages that are mounted at ``folder``, which is URL-encoded."""
        root = f"{self._environ.get('SCRIPT_NAME', '')}{folder}"
        return self._with(SCRIPT_NAME=root, PATH_INFO=path)

    def _with(self, **variables: str) -> Request:
        changed = Request({**self._environ, **variables})
        changed._body = self._body
        return changed

    def without(self, name: str) -> Request:
        """Return the same HTTP request without a parameter in its URL."""
        parameters = self.query_text.split("&")
        return self._with(QUERY_STRING="&".join(each for each in parameters if each.partition("=")[0] != name))

    def with_default(self, name: str, value: str) -> Request:
        """Return the same HTTP request, with a parameter in its URL if it has none of that name; both are URL-safe."""
        if name in self.query():
            return self
        return self._with(QUERY_STRING="&".join(filter(None, [self.query_text, f"{name}={value}"])))

    def of_snapshot(self, reason: str) -> Request:
        """Return a request for a snapshot, with a reason and no body, in place of this HTTP request."""
        with late_imports():
            from urllib.parse import urlencode

        changed = self._with(QUERY_STRING=urlencode({"reason": reason}), CONTENT_TYPE="")
        changed._body = b""
        return changed

    @property
    def query_text(self) -> str:
        """Return the query of the URL as the client has encoded it."""
        return str(self._environ.get("QUERY_STRING", ""))

    def header(self, name: str) -> str:
        """Return a header of the HTTP request, ``""`` without it."""
        return str(self._environ.get(f"HTTP_{name.upper().replace('-', '_')}", ""))

    def has_header(self, name: str) -> bool:
        """Return whether the HTTP request has a header, which may be empty."""
        return f"HTTP_{name.upper().replace('-', '_')}" in self._environ

    @property
    def content_type(self) -> str:
        """Return the media type of the HTTP request's body in lower case, without parameters."""
        return str(self._environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()

    def query(self) -> Mapping[str, str]:
        """Return the parameters in the URL of the HTTP request. Raises :class:`Problem` if they are not UTF-8."""
        return _parameters(self._environ.get("QUERY_STRING", ""), "query of the URL")

    def form(self) -> Mapping[str, str]:
        """Return the parameters in the body of the HTTP request, which is a URL-encoded form.

        Raises :class:`Problem` if they are not UTF-8, or if the body is too long.
        """
        return _parameters(self.body().decode("latin-1"), "form in the body")

    def body(self) -> bytes:
        """Return the body of the HTTP request. Raises :class:`Problem` if it is longer than :data:`BODY_BYTES`."""
        if self._body is None:
            self._body = self._read_body()
        return self._body

    def _read_body(self) -> bytes:
        length, has_end = self._environ.get("CONTENT_LENGTH") or "", self._environ.get("wsgi.input_terminated")
        if length and not length.isdecimal():
            raise Problem(HTTPStatus.BAD_REQUEST, "the Content-Length header is not a number of bytes")
        expected = int(length) if length else BODY_BYTES + 1 if has_end else 0  # a body in chunks has no length
        body: bytes = self._environ["wsgi.input"].read(expected) if expected <= BODY_BYTES + 1 else b""
        if max(len(body), expected if length else 0) > BODY_BYTES:
            detail = f"the request body is longer than {BODY_BYTES >> 10} KiB"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return body


def _text(native: str) -> str:
    """Return a string of a WSGI environment, whose characters are bytes (PEP 3333), as text."""
    return native.encode("latin-1", "replace").decode("utf-8", "replace")


def _parameters(encoded: str, place: str) -> Mapping[str, str]:
    """Return URL-encoded parameters, the first of each name. Raises :class:`Problem` if they are not UTF-8."""
    if not encoded:
        return {}
    with late_imports():
        from urllib.parse import parse_qsl  # only a request for a snapshot has parameters

    parameters: dict[str, str] = {}
    try:
        text = encoded.encode("latin-1").decode("utf-8")
        for name, value in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100):
            parameters.setdefault(name, value)
    except ValueError as error:
        detail = f"the {place} is not valid UTF-8; encode it as UTF-8 and percent-encode the bytes"
        raise Problem(HTTPStatus.BAD_REQUEST, detail) from error
    return parameters
