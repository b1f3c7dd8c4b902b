"""Series of memory with a known answer: made from random compositions, and recorded from real programs."""

from training.corpus.composition import FAMILIES, HEALTHY, LEAKING, families, made, made_series
from training.corpus.recorded import recorded
from training.corpus.series import Series

__all__ = ["FAMILIES", "HEALTHY", "LEAKING", "Series", "families", "made", "made_series", "recorded"]
