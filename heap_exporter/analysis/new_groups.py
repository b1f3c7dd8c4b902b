"""What is new on a holder that both snapshots have, and most of all that was gained: two cannot tell if it goes on."""

from __future__ import annotations

from heap_exporter.analysis.matching import Pair

MIN_BYTES = 1024 * 1024
MIN_SHARE = 0.5
"""Of all that was gained. There can be one such only, however it is looked for."""

_CODE = ("module", "type")


def large_newcomer(root: Pair) -> Pair | None:
    """Return the topmost group that only the later snapshot has, if it is large and neither code nor a whole thread."""
    least = max(MIN_BYTES, MIN_SHARE * root.gained_bytes)
    pair = root
    while pair.is_in_both:
        heaviest = max(pair.children, key=lambda child: child.gained_bytes, default=None)
        if heaviest is None or heaviest.gained_bytes < least:
            return None
        pair = heaviest
    is_data = pair.type_name and pair.type_name not in _CODE
    return pair if is_data and pair.trail()[1].label in ("modules", "threads") else None
