"""The logger of the package. A handler of the application may fail; that must not end a thread nor reach a caller."""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import Any


class _SafeLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that ignores exceptions of its handlers."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a message; never raises."""
        with contextlib.suppress(Exception):
            super().log(level, msg, *args, **kwargs)


log = _SafeLogger(logging.getLogger("heap_exporter"), {})


@functools.cache
def warn_once(text: str) -> None:
    """Log a warning the first time that it is called with this text."""
    log.warning("%s", text)
