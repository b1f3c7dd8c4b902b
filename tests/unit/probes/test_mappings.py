"""The mappings of the process are grouped by sort."""

from __future__ import annotations

import mmap
import tempfile
from pathlib import Path

import pytest

from heap_exporter.errors import SourceMissing
from heap_exporter.probes.mappings import PROC, MappingGroup, Mappings, growth, read_mappings, usual_stack_bytes

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs /proc/self/smaps")

MIB = 1 << 20


def all_mappings(proc: Path = PROC) -> Mappings:
    """Return all groups, without a time limit."""
    return read_mappings(proc, max_seconds=60.0, max_groups=1000)


def group(found: Mappings, name: str) -> MappingGroup:
    return next((each for each in found.groups if each.name == name), MappingGroup(name, 0, 0, 0, 0, 0))


def test_a_private_mapping_is_anonymous_memory() -> None:
    before = group(all_mappings(), "anonymous")
    with mmap.mmap(-1, 8 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as mapped:
        mapped.write(b"x" * 8 * MIB)
        after = group(all_mappings(), "anonymous")

    assert after.anonymous_bytes - before.anonymous_bytes >= 8 * MIB
    assert after.resident_bytes >= after.anonymous_bytes


def test_shared_memory_and_files_have_names() -> None:
    with tempfile.NamedTemporaryFile() as file, mmap.mmap(-1, 4 * MIB) as shared:
        file.write(b"x" * 4 * MIB)
        file.flush()
        shared.write(b"x" * 4 * MIB)
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            sum(mapped[::4096])
            found = all_mappings()

    assert group(found, "shared memory").resident_bytes >= 4 * MIB
    assert group(found, Path(file.name).name).resident_bytes >= 4 * MIB
    assert group(found, Path(file.name).name).anonymous_bytes == 0


def mapped(folder: Path, *lines: str) -> Mappings:
    """Return the groups of these mappings (addresses, permissions), each with 8 kB in RAM."""
    (folder / "self").mkdir()
    smaps = "".join(f"{line} 00000000 00:00 0 \nRss: 8 kB\nAnonymous: 8 kB\n" for line in lines)
    (folder / "self" / "smaps").write_text(smaps)
    return all_mappings(folder)


def test_a_malloc_arena_is_followed_by_its_reserve(tmp_path: Path) -> None:
    found = mapped(
        tmp_path,
        "7f0000000000-7f0000021000 rw-p", "7f0000021000-7f0004000000 ---p",  # one that has begun
        "7f0004000000-7f0008000000 rw-p",  # a full one
    )  # fmt: skip  # a map

    assert group(found, "malloc arenas of threads").mappings == 2


def test_a_mapping_at_the_address_of_an_arena_is_anonymous_memory(tmp_path: Path) -> None:
    found = mapped(
        tmp_path,
        "7f0000000000-7f0000800000 rw-p", "7f0000800000-7f0000801000 ---p",  # a guard is no reserve
        "7f0004000000-7f0004800000 rw-p", "7f0005000000-7f0005800000 rw-p",
    )  # fmt: skip  # a map

    assert {one.name: one.mappings for one in found.groups} == {"anonymous": 4}


def test_only_the_largest_groups_are_returned_and_the_time_is_limited() -> None:
    assert len(read_mappings(max_groups=3).groups) == 3
    assert all_mappings().is_complete
    assert not read_mappings(max_seconds=0.0).is_complete


def test_growth_is_sorted_by_gain() -> None:
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


def test_a_missing_proc_is_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="memory mappings of the process cannot be read"):
        read_mappings(proc=tmp_path)


@pytest.mark.parametrize("stacks", [1, 7])
def test_a_mapping_with_the_size_of_stacks_and_their_guards_is_one_of_stacks(stacks: int, tmp_path: Path) -> None:
    begin = 0x7F0000001000
    end = begin + stacks * (usual_stack_bytes() + mmap.PAGESIZE)

    found = mapped(tmp_path, f"{begin:x}-{end:x} rw-p", f"{end:x}-{end + mmap.PAGESIZE:x} rw-p")

    assert group(found, "thread stacks").mappings == 1
    assert group(found, "anonymous").mappings == 1
