"""Series of memory with a known answer: made from random compositions, and recorded from real programs."""

from training.corpus.composition import (
    FAMILIES,
    FOLDS,
    HEALTHY,
    LEAKING,
    families,
    fold_of,
    made,
    made_series,
    share_of,
)
from training.corpus.recorded import recorded, recording_is_kept
from training.corpus.series import Series

__all__ = [
    "FAMILIES",
    "FOLDS",
    "HEALTHY",
    "LEAKING",
    "Series",
    "families",
    "fold_of",
    "made",
    "made_series",
    "recorded",
    "recording_is_kept",
    "share_of",
]
