"""The HTTP request class of the pages."""

from __future__ import annotations

from http import HTTPStatus

from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Request as WerkzeugRequest

from heap_exporter.web.problem import Problem

BODY_BYTES = 64 * 1024
"""Maximum size of a request's body; a reason needs no more."""


class Request(WerkzeugRequest):
    """An HTTP request whose body and form have a maximum size."""

    max_content_length = BODY_BYTES
    max_form_memory_size = BODY_BYTES

    @property
    def query(self) -> MultiDict[str, str]:
        """Return the parameters in the URL of the HTTP request. Raises :class:`Problem` if they are not UTF-8."""
        try:
            return self.args
        except UnicodeDecodeError as error:
            detail = "the query of the URL is not valid UTF-8; encode it as UTF-8 and percent-encode the bytes"
            raise Problem(HTTPStatus.BAD_REQUEST, detail) from error
