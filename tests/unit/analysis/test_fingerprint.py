"""The same leak has the same fingerprint in another process, run, machine, and on another day."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heap_exporter import analysis
from heap_exporter.analysis.fingerprint import fingerprint
from heap_exporter.model import RetainerPath, Step, StepKind
from tests.heaps.objects import Made, function, made, module, with_dict, write
from tests.heaps.steps import path


@dataclass(frozen=True)
class World:
    """Properties of a run that do not change the fingerprint of a leak."""

    seed: int = 0
    """The seed of addresses, and of the order of modules and of globals."""

    before: int = 30
    leaked: int = 900
    bystander: str = "web"
    """A module that imported the leaking global."""

    in_dict: bool = False
    """Whether instances have a dict of their own."""

    threads: int = 1
    thread_number: int = 0
    day: int = 0


WORLDS = st.builds(
    World,
    seed=st.integers(0, 10**6),
    before=st.integers(0, 60),
    leaked=st.integers(600, 1200),
    bystander=st.sampled_from(["web", "aaa", "zzz", "shop", "store.late"]),
    in_dict=st.booleans(),
    threads=st.integers(1, 3),
    thread_number=st.integers(0, 10**4),
    day=st.integers(0, 1000),
)


def instance(world: World, type_name: str, **attributes: Made) -> Made:
    return with_dict(type_name, **attributes) if world.in_dict else Made(type_name, attributes)


def session(world: World) -> Made:
    items = made("list", made("store.Item", size_bytes=48), size_bytes=88)
    return instance(world, "store.Session", cart=items, token=made("str", size_bytes=100))


def snapshot(world: World, sessions: int, file: Path, minute: float) -> Path:
    random = Random(world.seed)
    entries = [each for _ in range(sessions) for each in (made("str", size_bytes=60), session(world))]
    key, held = Made("str", text="SESSIONS"), Made("dict", rest=entries, size_bytes=64 + 40 * sessions)
    manager = instance(world, "store.Manager", history=made("list", size_bytes=64))
    others = [(Made("str", text=name), made("list", made("int"))) for name in random.sample(["A", "B", "C"], 2)]
    home = [
        (key, held),
        (Made("str", text="open_session"), function()),
        (Made("str", text="MANAGER"), manager),
        *others,
    ]
    random.shuffle(home)
    modules = {
        "store": made("module", __dict__=Made("dict", rest=[each for pair in home for each in pair])),
        world.bystander: made("module", __dict__=Made("dict", rest=[key, held])),
        "unrelated": module(X=made("int")),
    }
    names = random.sample(list(modules), len(modules))
    threads = {
        f"ThreadPoolExecutor-{world.thread_number}_{n}": [("store.work", {"job": made("store.Job")})]
        for n in range(world.threads)
    }
    return write(file, {name: modules[name] for name in names}, threads=threads, seed=world.seed, minute=minute)


def found(world: World, folder: Path) -> tuple[str, str, RetainerPath]:
    """Return the fingerprint, the type and the holder of the only suspect."""
    before = snapshot(world, world.before, folder / "a.heap", world.day * 1440.0)
    after = snapshot(world, world.before + world.leaked, folder / "b.heap", world.day * 1440.0 + 5)
    [suspect] = analysis.compare(analysis.open(before), analysis.open(after)).suspects
    return suspect.fingerprint, suspect.type_name, suspect.holder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@settings(max_examples=settings().max_examples // 2)  # each compares two heaps
@given(world=WORLDS)
def test_the_same_leak_has_the_same_fingerprint_in_every_run(world: World, folder: Path) -> None:
    expected = (fingerprint(path("store.SESSIONS"), "store.Session"), "store.Session", path("store.SESSIONS"))

    assert found(world, folder) == expected


NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
STEPS = st.lists(st.builds(Step, st.sampled_from(StepKind), NAMES, NAMES), min_size=1, max_size=5).map(tuple)


@given(steps=STEPS, number=st.integers(0, 10**9), other=st.integers(0, 10**9))
def test_numbers_in_a_step_do_not_count(steps: RetainerPath, number: int, other: int) -> None:
    one, two = (RetainerPath([*steps, *path(f"thread worker-{each} › run() › x")]) for each in (number, other))

    assert fingerprint(one, f"shop.Item_{number}") == fingerprint(two, f"shop.Item_{other}")


@given(steps=STEPS, others=STEPS, types=st.lists(NAMES, min_size=2, max_size=2))
def test_other_leaks_have_other_fingerprints(steps: RetainerPath, others: RetainerPath, types: list[str]) -> None:
    same = (steps, types[0]) == (others, types[1])

    assert (fingerprint(steps, types[0]) == fingerprint(others, types[1])) == same


def test_a_process_that_multiprocessing_started_has_the_same_fingerprint() -> None:
    one, other = (fingerprint(path(f"{main}.JOBS"), f"{main}.Job") for main in ("__main__", "__mp_main__"))

    assert one == other


def test_a_fingerprint_is_the_same_in_every_release() -> None:
    assert fingerprint(path("shop.sessions.SESSIONS"), "shop.sessions.Session") == "e76b26af349e"
