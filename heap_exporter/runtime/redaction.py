"""Keeps secrets out of what is printed and logged: texts that hide themselves, addresses without their passwords."""

from __future__ import annotations

import re

_HOST_FIRST = re.compile(r"(?:[\w.-]+|\[[^]@]*\])(?::\d+)?(?:[/?#]|$)")

HIDDEN = "**********"


class Secret(str):
    """A text that does not show itself when printed, formatted or logged.

    What works on the text itself (``==``, ``+``, ``encode``) works on the real one.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return HIDDEN if self else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"


def without_secrets(url: str) -> str:
    """Return an address fit for a log: without user, password and query, even if it is no proper address."""
    scheme, separator, rest = url.partition("://")
    if not scheme.isalnum():
        scheme, separator, rest = "", "", url
    if not _HOST_FIRST.match(rest):
        rest = rest.rpartition("@")[2]  # the last, since a password may hold anything
    return scheme + separator + rest.partition("?")[0]
