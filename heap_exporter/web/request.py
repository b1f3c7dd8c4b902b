"""The HTTP request class of the pages."""

from __future__ import annotations

from werkzeug.wrappers import Request as WerkzeugRequest

BODY_BYTES = 64 * 1024
"""Maximum size of a request's body; a reason needs no more."""


class Request(WerkzeugRequest):
    """An HTTP request whose body and form have a maximum size."""

    max_content_length = BODY_BYTES
    max_form_memory_size = BODY_BYTES
