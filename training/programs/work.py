"""Work that many of the programs do at each step, next to what they are about."""

from __future__ import annotations

import json
import math
import re
import time
import zlib
from random import Random

WORDS = (
    "the", "service", "answers", "requests", "and", "keeps", "what", "it", "should", "not", "keep", "for",
    "longer", "than", "it", "needs", "it",
)  # fmt: skip  # a list


def serve(rng: Random, count: int = 1) -> None:
    """Answer some requests: allocate and free memory of log-normal sizes."""
    for _ in range(count):
        rows = [{"id": number, "text": text(rng)} for number in range(int(rng.lognormvariate(2.5, 0.9)) + 1)]
        json.loads(json.dumps(rows))


def text(rng: Random, words: int = 8) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def record(rng: Random) -> dict[str, object]:
    """Return a record of some hundred bytes to a few KiB, as of a session."""
    return {
        "user": text(rng, 2),
        "cart": [rng.random() for _ in range(int(rng.lognormvariate(2, 0.8)))],
        "notes": text(rng, int(rng.lognormvariate(2, 1)) + 1),
    }


def compress(rng: Random) -> None:
    """Compress a text and search it."""
    data = text(rng, 400)
    zlib.compress(data.encode())
    re.findall(r"\b\w{5,}\b", data)


def wave(period: float) -> float:
    """Return a load from 0 to 1 that swings with the period, in seconds."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * time.monotonic() / period)
