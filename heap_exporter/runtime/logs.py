"""Our log. What the application hangs on it may fail; that must not end a thread of ours, nor reach a caller."""

from __future__ import annotations

import contextlib
import logging
from typing import Any


class _Calm(logging.LoggerAdapter[logging.Logger]):
    """A logger whose handlers' failures go no further."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log as any logger does."""
        with contextlib.suppress(Exception):
            super().log(level, msg, *args, **kwargs)


log = _Calm(logging.getLogger("heap_exporter"), {})
