"""Keeps this package's own requests out of the application's traces."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

INSTRUMENTATION = "opentelemetry.instrumentation.utils"
"""Every instrumentation of OpenTelemetry imports this module; without it no request is traced."""


def untraced() -> AbstractContextManager[object]:
    """Return a context in which OpenTelemetry's instrumentations record nothing of this thread."""
    suppress = getattr(sys.modules.get(INSTRUMENTATION), "suppress_instrumentation", None)
    return suppress() if suppress is not None else nullcontext()
