"""The predicted size of a snapshot is near its size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.runs import outcome

CODE = """
    import json, sys
    from pathlib import Path
    from heap_exporter.snapshot.store import Store
    from heap_exporter.snapshot.service import Snapshots
    from tests.bench.heap import build
    from tests.heaps.walks import chosen

    walker = chosen("native")
    earlier = walker.census()
    kept = build({tracked}, 1)
    known = {{"after-a-census": walker.census, "before-any": lambda: None, "after-growth": lambda: earlier}}
    census = known[{when!r}]()
    snapshots = Snapshots(walker, Store(Path("snapshots"), 5), lambda: None, last_census=lambda: census)
    info = snapshots.take("")
    print(json.dumps({{"content": info.content, "predicted": info.predicted_bytes, "written": info.bytes}}))
"""


@pytest.mark.parametrize("when", ["after-a-census", "before-any", "after-growth"])
@pytest.mark.parametrize("tracked", [20_000, 200_000])
def test_the_size_of_a_snapshot_is_predicted_within_a_factor_of_two(tracked: int, when: str, tmp_path: Path) -> None:
    report = outcome(CODE.format(tracked=tracked, when=when), tmp_path)

    assert report["content"] == "graph"
    assert report["written"] / 2 < report["predicted"] < report["written"] * 2
