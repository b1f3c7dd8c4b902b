"""Names that differ in numbers, hashes, UUIDs or hexadecimal tokens are one family; other names stay."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from heap_exporter.model import Step, StepKind
from heap_exporter.model.runtime_names import MIN_FAMILY, family_of, merged_names, normalised

NUMBERS = range(100)

MADE = {
    "shop.Payload_…": lambda n: f"shop.Payload_{n:06d}",
    "session_…": lambda n: f"session_{uuid.uuid5(uuid.NAMESPACE_OID, str(n)).hex}",
    "cart_…_open": lambda n: f"cart_{uuid.uuid5(uuid.NAMESPACE_OID, str(n))}_open",
    "job_…": lambda n: f"job_{str(uuid.uuid5(uuid.NAMESPACE_OID, str(n))).upper().replace('-', '_')}",
    "prefix_…_dag": lambda n: f"prefix_{hashlib.sha1(b'%d' % n).hexdigest()}_dag",
    "plugin.…": lambda n: f"plugin.{hashlib.sha256(b'%d' % n).hexdigest()}",
    "at …": lambda n: f"at 0x{n * 0xABCDE + 7:x}",
    "token-…": lambda n: f"token-9{hashlib.md5(b'%d' % n).hexdigest()[:7]}",
    "ThreadPoolExecutor-…_…": lambda n: f"ThreadPoolExecutor-{n}_{n % 7}",
}


@pytest.mark.parametrize("family", MADE)
def test_names_made_at_run_time_are_one_family(family: str) -> None:
    assert {family_of(MADE[family](number)) for number in NUMBERS} == {family}


@pytest.mark.parametrize("name", ["Session", "facade", "shop.decade.Face", "a.dead_beef.face", "", "__dict__", "café"])
def test_words_are_no_tokens(name: str) -> None:
    assert family_of(name) == name


def test_a_step_has_the_families_of_its_names() -> None:
    step = Step(StepKind.ATTRIBUTE, "shop.Row_17", "cell_4")

    assert normalised(step) == Step(StepKind.ATTRIBUTE, "shop.Row_…", "cell_…")
    assert normalised(Step(StepKind.ITEM, "list")) == Step(StepKind.ITEM, "list")


def test_only_large_families_are_merged() -> None:
    few = [f"Vector{number}" for number in range(MIN_FAMILY - 1)]
    many = [f"Payload_{number}" for number in range(MIN_FAMILY)]

    assert merged_names([*few, "Session", *many]) == [*few, "Session", *["Payload_…"] * MIN_FAMILY]
