"""Go's pprof reads the profile and computes the same sums."""

import re
from pathlib import Path

import pytest

from heap_exporter import analysis
from heap_exporter.analysis.summary import summarise
from heap_exporter.report import pprof
from heap_exporter.report.path_text import step_text
from tests.oracles.answers import pprof_prints
from tests.oracles.snapshots import LEAKED_A_ROUND, REQUEST

pytestmark = pytest.mark.usefixtures("pprof")


def profile(path: Path) -> tuple[analysis.Heap, Path]:
    graph = analysis.load(path)
    heap = summarise(graph)
    target = path.with_suffix(pprof.SUFFIX)
    pprof.write(graph, heap, target)
    return heap, target


def top(target: Path, *options: str) -> dict[str, tuple[int, int]]:
    """Return the flat and the cumulative value of each frame."""
    text = pprof_prints("-top", "-unit=B", "-nodefraction=0", "-nodecount=1000000", *options, target)
    rows = re.findall(r"^\s*(\d+)B?\s+\S+%\s+\S+%\s+(\d+)B?\s+\S+%\s+(.*)$", text, re.MULTILINE)
    return {name: (int(flat), int(cumulative)) for flat, cumulative, name in rows}


def test_the_cumulative_value_of_a_step_is_the_total_of_its_group(leak: list[Path]) -> None:
    heap, target = profile(leak[2])

    frames = top(target)

    assert sum(flat for flat, _ in frames.values()) == heap.shallow_bytes
    totals = {
        step_text(group.step): group.total_bytes for group in heap.groups if group.parent == 0 and group.total_bytes
    }
    assert {label: frames[label][1] for label in totals} == totals
    ((seen, total),) = [
        (text, group.total_bytes) for group in heap.groups if (text := step_text(group.step)) == "__main__.SEEN"
    ]
    assert frames[seen] == (0, total)


def test_the_flat_table_is_by_type(leak: list[Path]) -> None:
    _, target = profile(leak[2])

    assert top(target)[REQUEST][0] == 2 * LEAKED_A_ROUND * 56
    assert top(target, "-sample_index=objects")[REQUEST][0] == 2 * LEAKED_A_ROUND


def test_the_path_is_the_stack(leak: list[Path]) -> None:
    _, target = profile(leak[2])

    text = pprof_prints("-traces", "-focus=SEEN", target)

    stacks = [re.findall(r"^(?:\s+\d\S*)?\s{2,}(\S.*)$", stack, re.MULTILINE) for stack in text.split("-+-")]
    assert [REQUEST, "list item", "__main__.SEEN", "__main__", "modules"] in stacks


def test_the_profile_has_the_id_and_time_of_the_snapshot(leak: list[Path]) -> None:
    heap, target = profile(leak[0])

    text = pprof_prints("-raw", target)

    assert f"snapshot {heap.header.id} of process {heap.header.pid}" in text
    assert "space/bytes" in text
