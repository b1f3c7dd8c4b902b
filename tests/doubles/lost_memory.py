"""Lost memory as a search would find it."""

from __future__ import annotations

from heap_exporter.model import LostGroup, LostKind, LostMemory


def lost_objects(type_name: str, blocks: int, size: int = 64) -> LostGroup:
    """Return lost objects of a type, each lost by itself."""
    total = blocks * size
    return LostGroup(LostKind.OBJECT, type_name, 0, blocks, total, blocks, total)


def lost_chunks(block_bytes: int, blocks: int) -> LostGroup:
    """Return lost chunks of malloc."""
    total = blocks * block_bytes
    return LostGroup(LostKind.MALLOC_CHUNK, "", block_bytes, blocks, total, blocks, total)


def lost_memory(*groups: LostGroup, taken_at: float = 1.7e9, heaps: int = 3, unknown_bytes: int = 0) -> LostMemory:
    """Return the result of a search that found these groups."""
    return LostMemory(
        taken_at=taken_at,
        groups=groups,
        garbage_blocks=0,
        garbage_bytes=0,
        pools=100,
        heaps=heaps,
        broken_heaps=0,
        unknown_bytes=unknown_bytes,
        duration_seconds=0.2,
        pause_seconds=0.002,
        cpu_seconds=0.1,
    )
