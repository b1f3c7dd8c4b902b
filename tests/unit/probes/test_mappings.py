"""What the process has mapped is told by sorts that an operator knows."""

from __future__ import annotations

import mmap
import tempfile
import threading
from pathlib import Path

import pytest

from heap_exporter.errors import SourceMissing
from heap_exporter.model import Cause
from heap_exporter.probes.mappings import MappingGroup, Mappings, advice, growth, read_mappings

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs /proc/self/smaps")

MIB = 1 << 20


def group(found: Mappings, name: str) -> MappingGroup:
    return next((each for each in found.groups if each.name == name), MappingGroup(name, 0, 0, 0, 0, 0))


def test_a_private_mapping_is_anonymous_memory() -> None:
    before = group(read_mappings(), "anonymous")
    with mmap.mmap(-1, 8 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as mapped:
        mapped.write(b"x" * 8 * MIB)
        after = group(read_mappings(), "anonymous")

    assert after.anonymous_bytes - before.anonymous_bytes >= 8 * MIB
    assert after.resident_bytes >= after.anonymous_bytes


def test_shared_memory_and_files_have_names() -> None:
    with tempfile.NamedTemporaryFile() as file, mmap.mmap(-1, 4 * MIB) as shared:
        file.write(b"x" * 4 * MIB)
        file.flush()
        shared.write(b"x" * 4 * MIB)
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            sum(mapped[::4096])
            found = read_mappings(most_groups=1000)

    assert group(found, "shared memory").resident_bytes >= 4 * MIB
    assert group(found, Path(file.name).name).resident_bytes >= 4 * MIB
    assert group(found, Path(file.name).name).anonymous_bytes == 0


def test_stacks_of_threads_are_told_from_other_memory() -> None:
    end, size = threading.Event(), threading.stack_size(256 << 10)
    threads = [threading.Thread(target=end.wait) for _ in range(30)]
    before = group(read_mappings(most_groups=1000), "thread stacks")
    for thread in threads:
        thread.start()
    after = group(read_mappings(most_groups=1000), "thread stacks")
    end.set()
    for thread in threads:
        thread.join()
    threading.stack_size(size)

    assert after.mappings - before.mappings >= 20  # stacks of threads that ended may be used again


def test_only_the_largest_are_told_and_what_took_too_long_is_left_out() -> None:
    assert len(read_mappings(most_groups=3).groups) == 3
    assert read_mappings().is_complete
    assert not read_mappings(most_seconds=0.0).is_complete


def test_growth_is_told_by_falling_gain() -> None:
    before = Mappings((MappingGroup("heap", 1, 10, 10, 0, 0), MappingGroup("libc.so.6", 1, 9, 0, 0, 0)), True)
    after = Mappings(
        (
            MappingGroup("anonymous", 1, 50, 50, 0, 0),
            MappingGroup("heap", 1, 20, 20, 0, 0),
            MappingGroup("libc.so.6", 1, 8, 0, 0, 0),
        ),
        True,
    )

    assert [(gain.name, gain.before_bytes, gain.after_bytes) for gain in growth(before, after)] == [
        ("anonymous", 0, 50),
        ("heap", 10, 20),
    ]


def test_no_proc_is_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="no mappings"):
        read_mappings(proc=tmp_path)


@pytest.mark.parametrize("cause", Cause)
def test_there_is_advice_for_every_cause(cause: Cause) -> None:
    assert advice(cause).endswith(".")
