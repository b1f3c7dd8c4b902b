"""A request as the pages see it."""

from __future__ import annotations

from werkzeug.wrappers import Request as WerkzeugRequest

BODY_BYTES = 64 * 1024
"""Longest body that is read; a reason needs no more."""


class Request(WerkzeugRequest):
    """A request with a bounded body."""

    max_content_length = BODY_BYTES
    max_form_memory_size = BODY_BYTES
