"""Keeps secrets out of output and logs: strings that print as asterisks, and URLs without passwords."""

from __future__ import annotations

import re

_HOST_FIRST = re.compile(r"(?:[\w.-]+|\[[^]@]*\])(?::\d+)?(?:[/?#]|$)")

HIDDEN = "**********"


class Secret(str):
    """A string that prints, formats and logs as asterisks.

    Operations on the value (``==``, ``+``, ``encode``) use the real string.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return HIDDEN if self else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"


def without_secrets(url: str) -> str:
    """Return a URL for logs: without user, password and query, even if the URL is malformed."""
    scheme, separator, rest = url.partition("://")
    if not scheme.isalnum():
        scheme, separator, rest = "", "", url
    if not _HOST_FIRST.match(rest):
        rest = rest.rpartition("@")[2]  # the last one: a password may contain any character
    return scheme + separator + rest.partition("?")[0]
