"""The probes read the kernel and the interpreter, and raise SourceMissing for what is not there."""

import ctypes
import gc
import os
from pathlib import Path

import psutil
import pytest

from heap_exporter.detection.history import point
from heap_exporter.errors import SourceMissing
from heap_exporter.model import MemoryLimits, Sample
from heap_exporter.probes import allocators, cgroup, garbage_collector, process

STATUS = """Name:\tpython
VmHWM:\t  2000 kB
VmRSS:\t  1500 kB
RssAnon:\t 1000 kB
RssFile:\t 400 kB
RssShmem:\t 100 kB
VmSwap:\t 50 kB
Threads:\t7
"""


def proc_with(root: Path, **files: str) -> Path:
    (root / "self").mkdir()
    for name, text in files.items():
        (root / "self" / name).write_text(text)
    return root


def test_memory_is_read_from_the_status_file_in_bytes(tmp_path: Path) -> None:
    memory = process.read_memory(proc_with(tmp_path, status=STATUS))

    assert memory.resident_bytes == 1500 * 1024
    assert memory.anonymous_bytes == 1000 * 1024
    assert (memory.file_bytes, memory.shmem_bytes) == (400 * 1024, 100 * 1024)
    assert (memory.peak_bytes, memory.swap_bytes, memory.threads) == (2000 * 1024, 50 * 1024, 7)


def test_a_leak_shows_in_anonymous_shared_and_swapped_memory(tmp_path: Path) -> None:
    memory = process.read_memory(proc_with(tmp_path, status=STATUS))
    judged = point(Sample(1.7e9, None, 0.0, memory, None, None))

    assert judged is not None
    assert memory.growing_bytes == judged.growing_bytes == (1000 + 100 + 50) * 1024


def test_a_status_file_without_some_fields_is_read(tmp_path: Path) -> None:
    memory = process.read_memory(proc_with(tmp_path, status="VmRSS:\t 10 kB\n"))

    assert memory.growing_bytes == memory.resident_bytes == 10240
    assert memory.swap_bytes is None


def test_a_status_file_without_memory_is_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="VmRSS"):
        process.read_memory(proc_with(tmp_path, status="Name:\tx\n"))


def test_without_proc_psutil_reads_the_resident_memory(tmp_path: Path) -> None:
    assert process.read_memory(tmp_path / "hidden").resident_bytes > 1 << 20


def test_fifty_megabytes_more_are_read_as_fifty_megabytes() -> None:
    before = process.read_memory().growing_bytes
    held = bytearray(os.urandom(1)) * (50 << 20)
    after = process.read_memory().growing_bytes

    assert len(held) * 0.9 < after - before < len(held) * 1.2


def test_shares_are_summed_from_the_rollup(tmp_path: Path) -> None:
    rollup = "55d-7ff ---p 00000000 00:00 0 [rollup]\nPss:  90 kB\nPrivate_Clean: 20 kB\nPrivate_Dirty: 30 kB\n"

    shares = process.read_shares(proc_with(tmp_path, smaps_rollup=rollup))

    assert (shares.proportional_bytes, shares.unique_bytes) == (90 * 1024, 50 * 1024)


def test_a_missing_rollup_is_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="PSS"):
        process.read_shares(tmp_path)


def test_the_start_time_and_the_memory_of_the_machine_are_those_of_psutil() -> None:
    assert process.read_start_time() == pytest.approx(psutil.Process().create_time(), abs=0.02)
    assert process.read_physical_bytes() == psutil.virtual_memory().total


def test_without_proc_psutil_reads_the_start_time(tmp_path: Path) -> None:
    assert process.read_start_time(tmp_path / "hidden") == psutil.Process().create_time()


def test_a_machine_without_its_time_of_boot_is_a_missing_source(tmp_path: Path) -> None:
    proc = proc_with(tmp_path, stat="1 (a) b) S " + "0 " * 40)
    (proc / "stat").write_text("cpu 1 2 3\n")

    with pytest.raises(SourceMissing, match="btime"):
        process.read_start_time(proc)


def test_small_objects_add_blocks() -> None:
    before = allocators.read_allocated_blocks()
    held = [(i, i) for i in range(100_000)]

    assert allocators.read_allocated_blocks() - before >= len(held)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="mallinfo2 is glibc's")
def test_large_objects_add_malloc_memory() -> None:
    before = allocators.read_malloc().used_bytes
    held = bytes(bytearray(8 << 20))

    assert allocators.read_malloc().used_bytes - before > 0.9 * len(held)  # others in this process give back a little


def test_the_collector_is_read_by_generation() -> None:
    before = garbage_collector.read_collector()
    gc.collect()
    after = garbage_collector.read_collector()

    assert len(after.collections) == len(after.pending_objects) == 3
    assert after.collections[2] > before.collections[2]


def test_the_pause_meter_sums_collections_until_it_is_stopped() -> None:
    meter = garbage_collector.PauseMeter()
    meter.start()
    meter.start()
    gc.collect()
    meter.stop()
    measured = list(meter.seconds)
    gc.collect()

    assert measured[2] > 0
    assert meter.seconds == measured


def make_cgroup(tmp_path: Path, membership: str, files: dict[str, str]) -> MemoryLimits:
    root = tmp_path / "cgroup"
    root.mkdir()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return cgroup.read_limits(proc_with(tmp_path, cgroup=membership), root)


def test_version_2_has_the_lowest_limit_up_to_the_root(tmp_path: Path) -> None:
    found = make_cgroup(
        tmp_path,
        "0::/pod/app\n",
        {
            "pod/memory.max": "1000\n",
            "pod/memory.current": "700\n",
            "pod/memory.stat": "anon 500\ninactive_file 150\n",
            "pod/app/memory.max": "max\n",
            "pod/app/memory.events": "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\nsock_throttled 9\n",
        },
    )

    assert (found.limit_bytes, found.headroom_bytes) == (1000, 450)
    assert found.events == {"low": 0, "high": 1, "max": 2, "oom": 3, "oom_kill": 4}


def test_version_2_in_a_container_reads_the_visible_root(tmp_path: Path) -> None:
    found = make_cgroup(tmp_path, "0::/../../host/path\n", {"memory.max": "2048\n", "memory.events": "oom_kill 1\n"})

    assert (found.limit_bytes, found.events) == (2048, {"oom_kill": 1})


def test_version_1_reads_limit_and_events(tmp_path: Path) -> None:
    found = make_cgroup(
        tmp_path,
        "4:memory:/app\n0::/\n",
        {
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/app/memory.limit_in_bytes": "4096\n",
            "memory/app/memory.failcnt": "5\n",
            "memory/app/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        },
    )

    assert found.limit_bytes == 4096
    assert found.events == {"oom_kill": 2, "max": 5}


def test_no_limit_is_none_in_both_versions(tmp_path: Path) -> None:
    found = make_cgroup(tmp_path, "4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"})

    assert found.limit_bytes is None


def test_a_process_without_a_cgroup_is_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="cgroup"):
        cgroup.read_limits(tmp_path, tmp_path)
    with pytest.raises(SourceMissing, match="cgroup"):
        make_cgroup(tmp_path, "0::/\n", {})
