"""The memory that is left: the less of what the cgroup and the machine leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from heap_exporter.probes.headroom import read_headroom

MIB = 1024**2

VERSION_1 = {
    "memory/memory.limit_in_bytes": f"{300 * MIB}\n",
    "memory/memory.usage_in_bytes": f"{200 * MIB}\n",
    "memory/memory.stat": f"total_inactive_file {50 * MIB}\n",
}
VERSION_2 = {
    "memory.max": f"{300 * MIB}\n",
    "memory.current": f"{200 * MIB}\n",
    "memory.stat": f"inactive_file {50 * MIB}\n",
    "memory.events": "oom_kill 0\n",
}
NO_LIMIT = {"memory.max": "max\n", "memory.events": "oom_kill 0\n"}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("membership", "cgroup", "available_mib", "left_mib"),
    [
        ("4:memory:/\n", VERSION_1, 1000, 150),
        ("0::/\n", VERSION_2, 1000, 150),
        ("4:memory:/\n", VERSION_1, 80, 80),
        ("0::/\n", VERSION_2, 80, 80),
        ("0::/\n", NO_LIMIT, 80, 80),
        ("", {}, 80, 80),
    ],
)
def test_the_less_of_the_cgroup_and_the_machine_is_left(
    membership: str, cgroup: dict[str, str], available_mib: int, left_mib: int, tmp_path: Path
) -> None:
    meminfo = f"MemTotal:       9000000 kB\nMemFree:  1 kB\nMemAvailable:   {available_mib * 1024} kB\n"
    proc = written(tmp_path / "proc", {"self/cgroup": membership, "meminfo": meminfo})

    assert read_headroom(proc, written(tmp_path / "cgroup", cgroup)) == left_mib * MIB


def test_it_is_unknown_without_cgroup_and_without_meminfo(tmp_path: Path) -> None:
    assert read_headroom(tmp_path, tmp_path) is None
