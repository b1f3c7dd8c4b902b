"""Reads the memory limit of the process and the event counts of its cgroup, version 1 or 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from heap_exporter.errors import SourceMissing
from heap_exporter.model import MemoryLimits

PROC = Path("/proc")
CGROUP_ROOT = Path("/sys/fs/cgroup")

_FILES_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_FILES_VERSION_2 = ("memory.max", "memory.current", "inactive_file")

NO_LIMIT_BYTES = 1 << 60
"""Version 1 writes the largest page-aligned number for "no limit"."""


def read_limits(proc: Path = PROC, root: Path = CGROUP_ROOT) -> MemoryLimits:
    """Return the lowest limit of the memory cgroup of the process and its ancestors, and the events of the cgroup.

    Formats: cgroups(7); Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the kernel.
    Raises :class:`SourceMissing` if the process is in no readable memory cgroup.
    """
    for version, path in _memberships(proc):
        mount = root / "memory" if version == 1 else root
        folders = list(_from_group_to_root(mount, path))
        if version == 1 and (mount / "memory.limit_in_bytes").exists():
            limits = [_limit(folder, *_FILES_VERSION_1) for folder in folders]
            return _lowest(limits, _events_version_1(folders[0]))
        if version == 2 and any((folder / "memory.events").exists() for folder in folders):
            limits = [_limit(folder, *_FILES_VERSION_2) for folder in folders]
            return _lowest(limits, _events_version_2(folders[0]))
    raise SourceMissing("the process is not in a memory cgroup that it can read")


def _memberships(proc: Path) -> Iterator[tuple[int, str]]:
    """Yield (version, path) of each line of ``/proc/self/cgroup`` that may have a memory limit."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError as error:
        raise SourceMissing(f"the cgroup of the process cannot be read: {error}") from None
    for line in lines:
        hierarchy, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield 1, path
        elif hierarchy == "0":
            yield 2, path


def _from_group_to_root(mount: Path, path: str) -> Iterator[Path]:
    """Yield the folders of a cgroup and its parents; only the root for a path outside of the container."""
    group = mount / path.lstrip("/")
    if ".." in group.parts or not group.is_dir():
        group = mount
    while group != mount:
        yield group
        group = group.parent
    yield mount


class _GroupLimit(NamedTuple):
    """The limit of one cgroup, the bytes left below it, and the inode of the cgroup."""

    limit_bytes: int
    headroom_bytes: int | None
    group: int | None


def _limit(folder: Path, limit_file: str, usage_file: str, cache_field: str) -> _GroupLimit | None:
    """Return the memory limit of a cgroup, ``None`` if it has no limit."""
    text, usage = _text(folder / limit_file), _text(folder / usage_file)
    if not text.isdigit() or int(text) >= NO_LIMIT_BYTES:
        return None
    if not usage.isdigit():
        return _GroupLimit(int(text), None, None)
    cache = _pairs(folder / "memory.stat", (cache_field,)).get(cache_field, 0)
    return _GroupLimit(int(text), int(text) - int(usage) + cache, folder.stat().st_ino)


def _lowest(limits: list[_GroupLimit | None], events: dict[str, int]) -> MemoryLimits:
    """Return the lowest memory limit of a cgroup and its ancestors."""
    known = [limit for limit in limits if limit is not None]
    headroom, group = min(
        ((limit.headroom_bytes, limit.group) for limit in known if limit.headroom_bytes is not None),
        default=(None, None),
    )
    return MemoryLimits(min((limit.limit_bytes for limit in known), default=None), headroom, events, group)


def _events_version_1(group: Path) -> dict[str, int]:
    """Return the memory events of a cgroup of version 1."""
    events = _pairs(group / "memory.oom_control", ("oom_kill",))
    failures = _text(group / "memory.failcnt")
    return {**events, "max": int(failures)} if failures.isdigit() else events


def _events_version_2(group: Path) -> dict[str, int]:
    """Return the memory events of a cgroup of version 2."""
    return _pairs(group / "memory.events", ("low", "high", "max", "oom", "oom_kill", "oom_group_kill"))


def _pairs(file: Path, wanted: tuple[str, ...]) -> dict[str, int]:
    """Return the wanted ``name number`` pairs of a cgroup file."""
    pairs = (line.split() for line in _text(file).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in wanted}


def _text(file: Path) -> str:
    """Return the text of a cgroup file, "" if it cannot be read."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
