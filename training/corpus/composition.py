"""The made part of the corpus: services of random parts, each known to leak or to be healthy.

A series is drawn from its seed and its index alone. The family of an index is fixed, so that all families have the same
number of series whatever the seed; everything else is random: how long and how often a service is sampled, when its
processes start, what its memory does beneath, and how large all of that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from training.corpus.backgrounds import BACKGROUNDS
from training.corpus.demand import Demand, Pool
from training.corpus.draw import Draw
from training.corpus.fills import FILLS
from training.corpus.leaks import GROWTH_SHAPES, HOLDERS, HOUR, leaking_seconds
from training.corpus.measuring import clock, measured, recorded_samples
from training.corpus.process_memory import MIB, Interpreter, columns_of
from training.corpus.series import Array, Series
from training.corpus.timeline import DAY, Timeline, draw_timeline

COUNT = 5_000
INTERVALS = (15.0, 15.0, 15.0, 15.0, 5.0, 30.0, 60.0)
WINDOWS = (900.0,) * 12 + (300.0, 600.0, 1800.0, 3600.0, 20.0, 30.0, 60.0, 120.0)
"""Windows are those of services; up to two minutes long, everything else happens faster too, as in a demo."""

FAST_WINDOW = 120.0
MIN_BASE_MIB, MAX_MIB = 15.0, 24 * 1024.0
LARGE_BACKGROUNDS = ("daily load", "slow sawtooth", "quick sawtooth", "batches", "requests", "working set", "spikes")
MIN_SAMPLES, MAX_SAMPLES = 40, 20_000

VISIBLE_GAIN = 2.0
"""A leak is visible once it has gained so many standard deviations of everything else in one process."""


@dataclass
class Service:
    """What is drawn for one series before its columns are computed."""

    timeline: Timeline
    demands: list[Demand]
    interpreter: Interpreter
    backgrounds: tuple[str, ...] = ()
    onset: float | None = None
    leaked: Array | None = None
    restarts: list[float] = field(default_factory=list)


Family = Callable[[Draw, float], Service]


def _hours(draw: Draw) -> float:
    return draw.log(1, 72)


def _one_process(draw: Draw, step: float, hours: float) -> Timeline:
    """Return the timeline of one process, or of some that are deployed one after another."""
    length = min(max(hours * HOUR, MIN_SAMPLES * step), MAX_SAMPLES * step)
    starts = np.array([0.0])
    if draw.chance(0.12):
        starts = np.concatenate((starts, np.sort(length * draw.rng.random(draw.whole(1, 3)))))
    return draw_timeline(draw, step, starts, np.append(starts[1:], length))


def _base(draw: Draw) -> float:
    return draw.log(22, 5000)


def _times_base(draw: Draw) -> float:
    """Return the memory limit of a service, divided by its memory at the start."""
    return draw.log(1.15, 30)


def _interpreter(draw: Draw, base: float) -> Interpreter:
    return Interpreter(base, draw.log(0.0002, 0.02), gc_enabled=not draw.chance(0.04))


def _add_background(draw: Draw, service: Service, name: str, size: float) -> None:
    service.demands += BACKGROUNDS[name](draw, service.timeline, size)
    service.backgrounds = (*service.backgrounds, name)


def _add_backgrounds(draw: Draw, service: Service, size: float, without: str = "") -> None:
    """Add up to four backgrounds of random sizes up to ``size`` MiB to a service."""
    for name in draw.some_of(list(BACKGROUNDS), draw.one_of((0, 1, 2, 2, 3, 3, 4))):
        if name != without:
            _add_background(draw, service, name, size * draw.log(0.03, 1))


# --- leaking --------------------------------------------------------------------------------------------------


def leak_of(shape: str, holder: str | None = None, *, late: float = 0.25) -> Family:
    """Return the family of leaks that grow in a shape, in services that are otherwise healthy."""

    def family(draw: Draw, step: float) -> Service:
        rate = draw.log(1, 12_000)
        base = _base(draw)
        times_base = _times_base(draw)  # at that limit the process is killed, and the series ends
        hours = max(min(draw.log(max(1, 12 / rate), 72), min((times_base - 1) * base, MAX_MIB) / rate), 1.0)
        timeline = _one_process(draw, step, hours)
        onset = timeline.length * draw.log(0.03, 0.7) if draw.chance(late) else 0.0
        gained = rate * (timeline.length - onset) / HOUR
        base = max(min(base, gained * draw.log(4, 60)) if draw.chance(0.9) else base, MIN_BASE_MIB)
        service = Service(timeline, [], _interpreter(draw, base), onset=onset)
        service.interpreter.limit_mib = times_base * base
        if draw.chance(0.3):  # the leak is seen once it exceeds this
            _add_background(draw, service, draw.one_of(LARGE_BACKGROUNDS), min(gained * draw.log(0.2, 5), 3 * base))
        _add_backgrounds(draw, service, base * draw.log(0.1, 1))
        if draw.chance(0.25):
            service.demands += FILLS[draw.one_of(("warm-up", "quick LRU", "popular keys", "pool"))](
                draw, timeline, base * draw.log(0.05, 1)
            )
        _limit_noise(draw, service, rate * float(leaking_seconds(timeline, onset).max()) / HOUR)
        return _leaking(draw, service, rate * GROWTH_SHAPES[shape](draw, timeline, onset), holder)

    return family


def _limit_noise(draw: Draw, service: Service, gained: float) -> None:
    """Scale down what hides the leak, for most series: nine of ten leaks can be seen in the end."""
    if draw.chance(0.1):
        return
    others = sum((each.mib for each in service.demands), np.zeros(len(service.timeline)))
    factor = min(gained / draw.log(0.5, 60) / max(float(others.std()), 1e-9), 1.0)
    for each in service.demands:
        each.mib = each.mib * factor
    service.interpreter.noise = min(service.interpreter.noise, gained / draw.log(6, 400) / service.interpreter.base_mib)


def _leaking(draw: Draw, service: Service, curve: Array, holder: str | None) -> Service:
    """Add a leak that gains ``curve`` MiB to a service."""
    holder = holder or draw.one_of(("objects", "objects", "objects", "native", "arrays"))
    held = list(HOLDERS[holder](draw, curve))
    if holder == "cycles":
        service.interpreter.leaks_cycles = True
        service.interpreter.is_uncollectable = draw.chance(0.4)
        service.interpreter.gc_enabled = service.interpreter.is_uncollectable
    service.demands[:0] = held  # the first demand is that of the leak
    service.leaked = sum((each.mib for each in held), np.zeros(len(curve)))
    return service


def crash_loop(draw: Draw, step: float) -> Service:
    """A leak that ends at the memory limit again and again, within two minutes or within days."""
    rate, room = draw.log(4, 12_000), draw.log(30, 8000)
    life = min(max(room / rate * HOUR, 120.0, 8 * step), 2 * DAY)
    room = rate * life / HOUR
    lives = min(max(draw.log(2.2, 40), HOUR / life), 200)
    lives = max(min(lives, 72 * HOUR / life), 1.5)
    lengths = life * draw.spread(draw.log(0.02, 0.3), int(lives) + 2)
    pauses = np.minimum(draw.log(1, 60) * draw.spread(0.5, len(lengths)), 300)
    starts = np.concatenate(([0.0], np.cumsum(lengths + pauses)))[:-1]
    end = min(lives * life, float(starts[-1] + lengths[-1]))
    timeline = draw_timeline(draw, step, starts[starts < end], np.minimum(starts + lengths, end)[starts < end])
    base = max(min(_base(draw), room * draw.log(0.1, 20)), MIN_BASE_MIB)
    service = Service(timeline, [], _interpreter(draw, base), onset=0.0)
    service.interpreter.limit_mib = base + room * draw.between(1.0, 1.3)
    _add_backgrounds(draw, service, room * draw.log(0.01, 0.4))
    if draw.chance(0.4):
        service.demands += FILLS["warm-up"](draw, timeline, room * draw.log(0.02, 0.5))
    whole = lengths[starts < end][timeline.life] if timeline.lives == int((starts < end).sum()) else life
    bend = draw.between(0.7, 1.4) if draw.chance(0.4) else 1.0
    curve = room * np.minimum(timeline.age / whole, 1.2) ** bend
    return _leaking(draw, service, curve, None)


def leak_between_deploys(draw: Draw, step: float) -> Service:
    """A leak whose process is replaced before it reaches a limit: by deploys, or each night."""
    rate, hours = draw.log(2, 3000), draw.log(3, 72)
    life = hours / draw.between(1.5, 12)
    starts = np.cumsum(life * draw.spread(0.0 if draw.chance(0.3) else draw.between(0.05, 0.6), 20)) - life
    starts = np.concatenate(([0.0], starts[starts > 0]))
    starts = HOUR * starts[starts < hours * 0.97]
    timeline = draw_timeline(draw, step, starts, np.append(starts[1:], max(hours * HOUR, 40 * step)))
    gained = rate * life
    base = max(min(_base(draw), gained * draw.log(3, 40)), MIN_BASE_MIB)
    service = Service(timeline, [], _interpreter(draw, base), onset=0.0)
    _add_backgrounds(draw, service, base * draw.log(0.05, 0.6))
    _limit_noise(draw, service, gained)
    return _leaking(
        draw, service, rate * GROWTH_SHAPES[draw.one_of(("straight", "by load"))](draw, timeline, 0.0), None
    )


def leak_since_deploy(draw: Draw, step: float) -> Service:
    """A healthy process that is replaced by one that leaks."""
    rate, hours = draw.log(2, 6000), draw.log(2, 72)
    onset = draw.between(0.1, 0.6) * hours * HOUR
    timeline = draw_timeline(draw, step, np.array([0.0, onset]), np.array([onset, hours * HOUR]))
    gained = min(rate * (hours - onset / HOUR), MAX_MIB)
    base = max(min(_base(draw), gained * draw.log(3, 40)), MIN_BASE_MIB)
    service = Service(timeline, [], _interpreter(draw, base), onset=float(timeline.seconds[timeline.life == 1][0]))
    _add_backgrounds(draw, service, base * draw.log(0.05, 0.6))
    _limit_noise(draw, service, gained)
    curve = gained / (hours - onset / HOUR) * GROWTH_SHAPES["straight"](draw, timeline, onset)
    return _leaking(draw, service, curve, None)


# --- healthy --------------------------------------------------------------------------------------------------


def background_of(name: str, smallest: float = 0.02, largest: float = 1.0) -> Family:
    """Return the family of healthy services with one background above all."""

    def family(draw: Draw, step: float) -> Service:
        base = _base(draw)
        service = Service(_one_process(draw, step, _hours(draw)), [], _interpreter(draw, base))
        _add_background(draw, service, name, base * draw.log(smallest, largest))
        _add_backgrounds(draw, service, base * draw.log(0.02, 0.3), without=name)
        return service

    return family


def flat(draw: Draw, step: float) -> Service:
    base = _base(draw)
    return Service(_one_process(draw, step, _hours(draw)), [], _interpreter(draw, base))


def fill_of(name: str) -> Family:
    """Return the family of healthy services with a cache or another thing that fills up."""

    def family(draw: Draw, step: float) -> Service:
        base = _base(draw)
        service = Service(_one_process(draw, step, _hours(draw)), [], _interpreter(draw, base))
        service.demands += FILLS[name](draw, service.timeline, base * draw.log(0.05, 4))
        _add_backgrounds(draw, service, base * draw.log(0.02, 0.5))
        return service

    return family


def busy(draw: Draw, step: float) -> Service:
    """Several healthy things of similar sizes."""
    base = _base(draw)
    service = Service(_one_process(draw, step, _hours(draw)), [], _interpreter(draw, base))
    for name in draw.some_of(list(BACKGROUNDS), draw.whole(2, 4)):
        _add_background(draw, service, name, base * draw.log(0.03, 0.8))
    for name in draw.some_of(list(FILLS), draw.whole(0, 2)):
        service.demands += FILLS[name](draw, service.timeline, base * draw.log(0.05, 1))
    return service


def restarts(draw: Draw, step: float) -> Service:
    """Processes that are replaced every few minutes, hours or days: by deploys, or after so many requests."""
    hours = _hours(draw)
    life = min(draw.log(max(1 / 30, 10 * step / HOUR), 30), hours / 1.3)
    life = max(life, hours / 200)
    lengths = HOUR * life * draw.spread(draw.between(0, 0.5), int(3 * hours / life) + 3)
    pauses = draw.log(1, 60) * draw.rng.random(len(lengths))
    starts = np.concatenate(([0.0], np.cumsum(lengths + pauses)))[:-1]
    keep = starts < hours * HOUR
    timeline = draw_timeline(draw, step, starts[keep], np.minimum(starts + lengths, max(hours * HOUR, 40 * step))[keep])
    base = _base(draw)
    service = Service(timeline, [], _interpreter(draw, base))
    for name in draw.some_of(("warm-up", "warm-up", "popular keys", "pool", "quick LRU", "names"), draw.whole(1, 2)):
        service.demands += FILLS[name](draw, timeline, base * draw.log(0.03, 1))
    _add_backgrounds(draw, service, base * draw.log(0.02, 0.3))
    return service


def killed_by_spikes(draw: Draw, step: float) -> Service:
    """Processes that are killed at their limit by single large requests, not by growth."""
    service = restarts(draw, step)
    timeline, base = service.timeline, service.interpreter.base_mib
    height, lasts = base * draw.log(0.3, 3), draw.log(5, 240)
    left = timeline.life_seconds - timeline.age
    service.demands.append(Demand(Pool.LARGE, height * np.clip(1 - left / lasts, 0, 1), 1e5, 0.5))
    service.interpreter.limit_mib = (base + height) * draw.between(1.02, 1.5)
    return service


LEAKING: dict[str, Family] = {
    "leak, straight": leak_of("straight", late=0.0),
    "leak, late": leak_of("straight", late=1.0),
    "leak, by load": leak_of("by load"),
    "leak, in stairs": leak_of("in stairs"),
    "leak, in jobs": leak_of("in jobs"),
    "leak, bent": leak_of("bent"),
    "leak, native": leak_of("straight", "native"),
    "leak, arrays": leak_of("straight", "arrays"),
    "leak, free memory": leak_of("by load", "free memory"),
    "leak, threads": leak_of("straight", "threads"),
    "leak, cycles": leak_of("by load", "cycles"),
    "leak, killed in a loop": crash_loop,
    "leak, between deploys": leak_between_deploys,
    "leak, since a deploy": leak_since_deploy,
}

HEALTHY: dict[str, Family] = {
    "flat": flat,
    **{name: background_of(name) for name in BACKGROUNDS if name != "daily load"},
    "daily load": background_of("daily load", 0.1, 3.0),
    **{name: fill_of(name) for name in FILLS},
    "busy": busy,
    "restarts": restarts,
    "killed by spikes": killed_by_spikes,
}

FAMILIES: dict[str, Family] = {**LEAKING, **HEALTHY}

SHARES = {
    "slow LRU": 0.15,
    "busier": 0.2,
    "names": 0.2,
    "backlog": 0.3,
    "expiring": 0.3,
    "killed by spikes": 0.3,
    "busy": 0.5,
    "files": 0.5,
    "popular keys": 0.5,
}
"""How often a healthy service of a family is met, to one of a family that is not listed: an estimate.

Few services grow for hours and then stop. They are as many as the others in the corpus, so that their shapes are known.
"""

FOLDS: dict[str, tuple[str, ...]] = {
    "plain": ("leak, straight", "flat", "requests", "working set", "spikes", "busy"),
    "late": ("leak, late", "warm-up", "batches", "backlog"),
    "load": ("leak, by load", "daily load", "busier"),
    "steps": ("leak, in stairs", "leak, in jobs", "steps", "reloads", "pool"),
    "caches": ("leak, bent", "quick LRU", "slow LRU", "popular keys", "expiring", "names"),
    "native": ("leak, native", "leak, arrays", "leak, free memory", "fragmentation", "files"),
    "collector": ("leak, cycles", "quick sawtooth", "slow sawtooth"),
    "threads": ("leak, threads", "threads"),
    "restarts": ("leak, killed in a loop", "leak, between deploys", "leak, since a deploy", "restarts",
                 "killed by spikes"),
}  # fmt: skip  # a table
"""Families that are alike: for scores on what a model was not trained on, all families of a fold are left out."""

_FOLD_OF = {family: fold for fold, names in FOLDS.items() for family in names}

LEAKS_OF_FIVE = 2
"""Of five series in a row, so many leak."""


def families() -> list[str]:
    """Return the names of the families, leaking ones first."""
    return list(FAMILIES)


def fold_of(family: str) -> str:
    """Return the fold of a family of made series. Raises ``KeyError`` for another one."""
    return _FOLD_OF[family]


def share_of(family: str) -> float:
    """Return how much a series of a family weighs where it matters how often it is met; on average 1."""
    if family not in HEALTHY:
        return 1.0
    return SHARES.get(family, 1.0) * len(HEALTHY) / sum(SHARES.get(name, 1.0) for name in HEALTHY)


def family_of(index: int) -> str:
    """Return the family of the series with an index."""
    group, place = divmod(index, 5)
    if place < LEAKS_OF_FIVE:
        return list(LEAKING)[(group * LEAKS_OF_FIVE + place) % len(LEAKING)]
    return list(HEALTHY)[(group * (5 - LEAKS_OF_FIVE) + place - LEAKS_OF_FIVE) % len(HEALTHY)]


def made(seed: int, count: int = COUNT) -> Iterator[Series]:
    """Yield the first ``count`` series of a seed, one after another: two of five leak."""
    for index in range(count):
        yield made_series(seed, index)


def made_series(seed: int, index: int) -> Series:
    """Return the series with a seed and an index."""
    draw = Draw(seed, index)
    family = family_of(index)
    window, interval = draw.one_of(WINDOWS), draw.one_of(INTERVALS)
    pace = window / 900 if window <= FAST_WINDOW else 1.0
    interval = min(interval, window / pace / 12)
    service = FAMILIES[family](draw, interval)
    timeline = service.timeline
    _limit(draw, service)
    columns = columns_of(draw, timeline, service.demands, service.interpreter)
    columns = measured(draw, columns)
    columns["restart"] = timeline.is_first.astype(float)
    keep = recorded_samples(draw, timeline.seconds)
    keep |= timeline.is_first
    times = clock(draw, timeline.seconds, interval)
    columns = {"t_seconds": np.round(pace * times, 3), **columns}
    truth = _truth(service, columns["t_seconds"], pace)
    columns = {name: column[keep] for name, column in columns.items()}
    name = f"{family}: {' + '.join(service.backgrounds) or 'nothing'} ({seed}-{index})"
    return Series(name, family, seed, index, columns, window, pace * interval, service.backgrounds, *truth)


def _limit(draw: Draw, service: Service) -> None:
    """Draw a memory limit, far above what a service needs, or close, leaking or not; not all services have one."""
    if draw.chance(0.4):
        service.interpreter.limit_mib = None
        return
    base = service.interpreter.base_mib
    limit = service.interpreter.limit_mib or base * _times_base(draw)
    highest = sum((each.mib for each in service.demands), np.zeros(len(service.timeline))).max() + base
    service.interpreter.limit_mib = max(limit, float(highest) * draw.between(1.02, 1.2))


def _truth(service: Service, times: Array, pace: float) -> tuple[float | None, ...]:
    """Return the onset of a leak in recorded seconds, its bytes per hour, its visibility, and since when it is visible.

    Empty for a healthy service.
    """
    timeline = service.timeline
    if service.onset is None or service.leaked is None:
        return ()
    last = np.concatenate((timeline.is_first[1:], [True]))
    gained = service.leaked[last].sum()
    hours = leaking_seconds(timeline, service.onset)[last].sum() / HOUR
    others = sum((each.mib for each in service.demands), np.zeros(len(timeline))) - service.leaked
    spread = float(np.hypot(others.std(), service.interpreter.noise * service.interpreter.base_mib))
    index = int(np.searchsorted(timeline.seconds, service.onset))
    visible = np.flatnonzero(service.leaked >= VISIBLE_GAIN * spread)
    return (
        float(times[index]),
        float(round(gained / max(hours, 1e-9) * MIB / pace)),
        round(float(np.ptp(service.leaked)) / max(spread, 1e-6), 3),
        float(times[visible[0] if len(visible) else -1]),
    )
