"""A black box that was cut off, torn or altered: older figures or an error in words, never anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heap_exporter.errors import BlackBoxError
from heap_exporter.model import Cause, Census, MemoryLimits, Point, Reason, ReasonKind, State, TypeCount, Verdict
from heap_exporter.recording import ring_format
from heap_exporter.recording.ring import open_ring
from heap_exporter.recording.ring_format import FILE_BYTES, NOTES, POINT_FIGURES, SAMPLE_BYTES, SAMPLES
from tests.examples.readings import GREW

VERDICT = Verdict(
    5.0, State.CONFIRMED, (GREW, Reason(ReasonKind.COLLECTOR_OFF)), 900.0, cause=Cause.NATIVE, seconds_to_limit=60.0
)
CENSUS = Census(4.0, 0.1, 0.1, 0.1, "native", (TypeCount("shop.Session", 3, 300), TypeCount("Größe", 1, 30)), (1, 2, 3))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    ring = open_ring(tmp_path_factory.mktemp("snapshots") / "blackbox", 1.0)
    for second in range(20):
        ring.record(Point(float(second), 1000 + second, threads=second), MemoryLimits(5000, 4000, {"oom_kill": 2}))
    ring.record_verdict(VERDICT)
    ring.record_census(CENSUS)
    ring.record_evidence(["20261122T150000Z-1-abcd"])
    return ring.path.read_bytes()


def test_all_that_was_written_is_read(whole: bytes) -> None:
    found = ring_format.parse(whole)

    assert len(whole) == FILE_BYTES
    assert found.head.process_started_at == 1.0
    assert found.ended_at is None
    assert [sample.point.rss_bytes for sample in found.samples] == list(range(1000, 1020))
    assert found.samples[-1] == (Point(19.0, 1019, threads=19), 4000, 2)
    assert found.notes["verdict"]["reasons"] == [["grew", GREW.values], ["collector-off", {}]]
    assert found.notes["census"]["types"][1] == ["Größe", 1, 30]
    assert found.notes["evidence"] == {"snapshots": ["20261122T150000Z-1-abcd"]}


def test_every_figure_of_a_point_is_kept() -> None:
    assert {*POINT_FIGURES} == {*Point._fields} - {"t_seconds", "restart", "finding"}


def test_the_parts_do_not_overlap_and_no_sample_crosses_a_page() -> None:
    assert ring_format.note_at(NOTES[-1], 1) + ring_format.NOTE_BYTES == ring_format.SAMPLES_AT
    assert ring_format.sample_at(SAMPLES) == FILE_BYTES
    assert len(ring_format.sample_bytes(1, Point(1.0, 1), None)) <= SAMPLE_BYTES
    assert 4096 % SAMPLE_BYTES == ring_format.SAMPLES_AT % 4096 == 0


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_file_cut_off_anywhere_is_what_is_left_or_an_error(whole: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, FILE_BYTES - 1))

    try:
        found = ring_format.parse(whole[:length])
    except BlackBoxError:
        assert length < ring_format.END_AT
    else:
        assert {*found.samples} <= {*ring_format.parse(whole).samples}


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_bytes_altered_anywhere_cost_no_more_than_what_they_are_in(whole: bytes, data: st.DataObject) -> None:
    written = (*range(100), *range(ring_format.NOTES_AT, ring_format.NOTES_AT + 3 * 2 * ring_format.NOTE_BYTES, 7),
               *range(ring_format.SAMPLES_AT, ring_format.sample_at(20)))  # fmt: skip  # the parts that are in use
    altered = bytearray(whole)
    for at in data.draw(st.lists(st.sampled_from(written), min_size=1, max_size=8, unique=True)):
        altered[at] ^= data.draw(st.integers(1, 255))

    try:
        found = ring_format.parse(bytes(altered))
    except BlackBoxError:
        assert altered[:100] != whole[:100]
    else:
        assert {*found.samples} <= {*ring_format.parse(whole).samples}
        assert len(found.samples) >= 20 - 8
        for name, note in found.notes.items():
            assert note == ring_format.parse(whole).notes[name]


@given(st.binary(max_size=200))
def test_any_bytes_are_an_error_in_words(data: bytes) -> None:
    with pytest.raises(BlackBoxError, match="no black box"):
        ring_format.parse(data)


def test_a_note_that_was_torn_leaves_the_one_before(tmp_path: Path) -> None:
    ring = open_ring(tmp_path / "blackbox", None)
    ring.record(Point(1.0, 1), None)
    ring.record_evidence(["first"])
    ring.record_evidence(["second"])
    torn = bytearray(ring.path.read_bytes())
    at = torn.index(b"second")
    torn[at : at + 6] = b"secxnd"

    assert ring_format.parse(bytes(torn)).notes["evidence"] == {"snapshots": ["first"]}


def test_a_file_of_a_later_version_says_so(whole: bytes) -> None:
    later = bytearray(whole)
    head = ring_format._HEAD.pack(b"HEAPBBOX", 9, 1, 1.0, 1.0, b"")
    later[: len(head) + 4] = ring_format._sealed(head)

    with pytest.raises(BlackBoxError, match="of version 9"):
        ring_format.parse(bytes(later))
