"""From what the parts of a program need to what the kernel, the allocators and the interpreter report about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.corpus.demand import PYTHON, Demand, Pool
from training.corpus.draw import Draw
from training.corpus.series import Array
from training.corpus.shapes import highest_so_far
from training.corpus.timeline import Timeline, wander

MIB = float(1 << 20)
PAGE = 4096.0
HUGE_PAGE_MIB = 2.0


@dataclass
class Interpreter:
    """How an interpreter and its allocators behave: drawn once for a service."""

    base_mib: float
    noise: float
    gc_enabled: bool = True
    leaks_cycles: bool = False
    is_uncollectable: bool = False
    limit_mib: float | None = None
    extras: dict[str, Array] = field(default_factory=dict)


def columns_of(draw: Draw, timeline: Timeline, demands: Sequence[Demand], interpreter: Interpreter) -> dict[str, Array]:
    """Return the columns of recorded series, in bytes and counts, with a value for each sample."""
    count, base = len(timeline), interpreter.base_mib
    parts = _split(draw, base)
    summed = {pool: sum((each.mib for each in demands if each.pool is pool), np.zeros(count)) for pool in Pool}
    shaking = _noise(draw, timeline, base * interpreter.noise)
    small = parts["small"] + summed[Pool.SMALL] + 0.3 * shaking
    large = parts["large"] + summed[Pool.LARGE] + 0.3 * shaking
    native = parts["native"] + summed[Pool.NATIVE] + 0.4 * shaking
    arenas = _kept(draw, timeline, small, summed[Pool.FREE_SMALL])
    heap = _kept(draw, timeline, large + native, summed[Pool.FREE_MALLOC])
    mapped = np.maximum(summed[Pool.MAPPED], 0)
    files = parts["files"] + summed[Pool.FILES]
    anonymous = _resident(draw, timeline, arenas + heap + mapped + parts["image"])
    swapped = _swapped(draw, timeline, anonymous)
    anonymous = anonymous - swapped
    shared = summed[Pool.SHARED]
    if interpreter.limit_mib is not None:  # close to the limit the kernel takes file pages back
        files = np.clip(files, 0.05 * files, np.maximum(interpreter.limit_mib - anonymous, 0))

    blocks: Array = parts["small"] * MIB / draw.between(60, 110) + _blocks(demands, count)
    objects: Array = parts["small"] * MIB / draw.between(90, 250) + _objects(demands, count)
    census = (small * draw.between(0.75, 0.98) + large) * draw.between(0.8, 1.02)
    known: dict[str, Array] = {
        "rss_bytes": _pages(anonymous + files + shared),
        "anonymous_bytes": _pages(anonymous),
        "file_bytes": _pages(files),
        "shmem_bytes": _pages(shared),
        "swap_bytes": _pages(swapped),
        "unique_bytes": _pages(np.maximum(anonymous - (0 if draw.chance(0.6) else 0.3 * base), 1)),
        "malloc_used_bytes": _whole((large + native + mapped) * MIB),
        "malloc_retained_bytes": _whole(np.maximum(heap - large - native, 0) * MIB),
        "pymalloc_used_bytes": _whole(small * MIB),
        "pymalloc_retained_bytes": _whole(np.maximum(arenas - small, 0) * MIB),
        "heap_bytes": _whole(np.maximum(census, 1) * MIB),
        "allocated_blocks": _whole(np.maximum(blocks + 0.3 * shaking * MIB / 80, 1)),
        "n_objects": _whole(np.maximum(objects + 0.1 * shaking * MIB / 200, 1)),
        "threads": _threads(draw, timeline, demands),
        **_collector(draw, timeline, demands, interpreter),
    }
    if interpreter.limit_mib is not None:
        known["limit_bytes"] = np.full(count, round(interpreter.limit_mib) * MIB)
    return known


def _split(draw: Draw, base: float) -> dict[str, float]:
    """Return the parts of a process of ``base`` MiB at its start."""
    files = min(draw.log(6, 150), 0.4 * base)
    image = min(draw.between(1, 6), 0.1 * base)
    weights = np.array([draw.log(0.2, 1), draw.log(0.05, 1), draw.log(0.05, 1)])
    small, large, native = (weights / weights.sum() * (base - files - image)).tolist()
    return {"files": files, "image": image, "small": small, "large": large, "native": native}


def _noise(draw: Draw, timeline: Timeline, size: float) -> Array:
    """Return what no part explains: white noise, and a slow one."""
    slow = draw.between(0, 0.8)
    white = draw.rng.standard_normal(len(timeline))
    if draw.chance(0.3):  # heavy tails
        white = np.clip(draw.rng.standard_t(2.5, len(timeline)), -8, 12)
    wandered = wander(timeline.step, draw.log(60, 10_800), len(timeline), draw.rng)
    return size * ((1 - slow) * draw.between(0.1, 0.7) * white + slow * wandered)


def _kept(draw: Draw, timeline: Timeline, used: Array, free: Array) -> Array:
    """Return what an allocator holds for memory in use: some of what was freed stays, and goes late or never.

    ``free`` is what it keeps in any case; what is freed fits into it in part.
    """
    used = np.maximum(used, 0.05)
    trims = timeline.life
    if draw.chance(0.1):  # malloc_trim, or a purge of another allocator, now and then
        trims = trims + np.floor(timeline.seconds / draw.log(300, 43_200)).astype(np.intp)
    highest = highest_so_far(timeline, used, trims, draw.log(5, 1e7))
    kept = draw.between(0.05, 1) * (highest - used) + draw.between(0.01, 0.12) * float(np.median(used))
    fits = draw.between(0, 1) if draw.chance(0.3) else 0.0  # how much of it is the same memory
    kept = kept + free - fits * np.minimum(kept, free)
    quantum = draw.one_of((1.0, 0.25, 1 / 32))
    return np.maximum(np.ceil((used + kept) / quantum) * quantum, used)


def _resident(draw: Draw, timeline: Timeline, held: Array) -> Array:
    """Return the resident part of what the allocators hold; with huge pages it changes by 2 MiB."""
    if draw.chance(0.15):
        held = (
            np.ceil(highest_so_far(timeline, held, timeline.life, 1e9) * draw.between(0, 0.2) / HUGE_PAGE_MIB)
            * HUGE_PAGE_MIB
            + held
        )
        return np.ceil(held / HUGE_PAGE_MIB) * HUGE_PAGE_MIB
    return held


def _swapped(draw: Draw, timeline: Timeline, anonymous: Array) -> Array:
    """Return what the kernel has swapped out: nothing, as a rule."""
    if not draw.chance(0.06):
        return np.zeros(len(timeline))
    share = np.zeros(len(timeline))
    for _ in range(draw.whole(1, 4)):
        begin = draw.between(0, timeline.length)
        speed = draw.log(60, 7200)
        share += draw.between(-0.1, 0.2) * (1 - np.exp(-np.maximum(timeline.seconds - begin, 0) / speed))
    return anonymous * np.clip(share, 0, 0.6)


def _blocks(demands: Sequence[Demand], count: int) -> Array:
    """Return how many blocks of the interpreter the parts have allocated; larger ones are those of malloc."""
    small = [each for each in demands if each.pool is Pool.SMALL]
    return sum((each.mib * MIB / each.block_bytes for each in small), np.zeros(count))


def _objects(demands: Sequence[Demand], count: int) -> Array:
    """Return how many objects of the parts a census finds."""
    python = [each for each in demands if each.pool in PYTHON]
    return sum((each.mib * MIB / each.block_bytes * each.objects_per_block for each in python), np.zeros(count))


def _threads(draw: Draw, timeline: Timeline, demands: Sequence[Demand]) -> Array:
    started = sum((each.threads for each in demands if each.threads is not None), np.zeros(len(timeline)))
    return _whole(draw.one_of((1, 2, 4, 8, 11, 17, 40)) + started)


def _collector(draw: Draw, timeline: Timeline, demands: Sequence[Demand], interpreter: Interpreter) -> dict[str, Array]:
    """Return the state of the garbage collector: full collections are those of the sawtooth, or rare ones."""
    count = len(timeline)
    enabled = interpreter.gc_enabled
    found = {
        "gc_enabled": np.full(count, float(enabled)),
        "gc_pending_objects": np.floor(draw.rng.random(count) * draw.one_of((700, 2000, 10_000))),
        "uncollectable_objects": np.zeros(count),
    }
    cycles = next((each for each in demands if interpreter.leaks_cycles), None)
    garbage = cycles.mib * MIB / cycles.block_bytes * cycles.objects_per_block if cycles else np.zeros(count)
    if cycles and interpreter.is_uncollectable:
        found["uncollectable_objects"] = np.floor(garbage)
    elif not enabled:
        found["gc_pending_objects"] = np.floor(garbage + timeline.age * draw.log(0.01, 1))
    if draw.chance(0.2):  # collections in increments are not counted
        return found
    teeth = [each.collections for each in demands if each.collections is not None]
    full = sum(teeth, np.zeros(count)) if enabled or teeth else np.zeros(count)
    if not teeth and enabled:
        full = np.floor(np.log1p(timeline.work_of_life / draw.log(20, 600)) * draw.log(1, 60))
    start = full[timeline.is_first][timeline.life]
    found["gc_gen2_collections"] = np.maximum(_whole(full - start), 0)
    return found


def _pages(mib: Array) -> Array:
    return _whole(np.maximum(mib, 0) * (MIB / PAGE)) * PAGE


def _whole(values: Array) -> Array:
    return np.asarray(np.round(values), dtype=np.float64)
