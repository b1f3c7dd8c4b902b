"""Which figure of a point growth is judged by, one and the same for as long as that is known."""

from __future__ import annotations

from heap_exporter.model import Point

PATIENCE_WINDOWS = 1.0


class Measure:
    """Private memory where it is known, else RSS. A row that lacks it for once is no figure, and no fall either."""

    def __init__(self, window_seconds: float) -> None:
        self._patience_seconds = PATIENCE_WINDOWS * window_seconds
        self._private_at: float | None = None
        self._was_private: bool | None = None
        self.changed = False

    def bytes(self, point: Point) -> float | None:
        """Return what to judge, or ``None`` if the point does not tell; ``changed`` says if it is another figure."""
        self.changed = False
        if point.anonymous_bytes is not None:
            self._private_at = point.t_seconds
        elif self._private_at is not None:
            if point.t_seconds - self._private_at <= self._patience_seconds:
                return None
            self._private_at = None
        self.changed = self._was_private not in (None, self.is_private)
        self._was_private = self.is_private
        return float(point.growing_bytes) if point.growing_bytes > 0 else None

    @property
    def is_private(self) -> bool:
        """Return whether the last figure was of private memory."""
        return self._private_at is not None
