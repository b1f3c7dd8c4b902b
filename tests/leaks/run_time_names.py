"""Types, attributes and modules whose names are made at run time: each name is used once."""

from __future__ import annotations

import hashlib
import sys
import types
import uuid
from collections.abc import Callable
from dataclasses import make_dataclass
from typing import Any

RESULTS: dict[int, Any] = {}


class Registry:
    def __init__(self) -> None:
        self.open = types.SimpleNamespace()


REGISTRY = Registry()


def query(number: int) -> None:
    row = make_dataclass(f"Row{number}", ["cells"], namespace={"__module__": __name__})
    RESULTS[number] = row([f"cell {cell} of {number}" for cell in range(60)])


def sign_in(number: int) -> None:
    name = f"visitor_{str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))).replace('-', '_')}"
    setattr(REGISTRY.open, name, [f"page {page} for {number}" for page in range(60)])


def load(number: int) -> None:
    module = types.ModuleType(f"rules_{hashlib.sha256(b'%d' % number).hexdigest()}.checks")
    module.__dict__["RULES"] = [f"rule {rule} of {number}" for rule in range(60)]
    sys.modules[module.__name__] = module


def main(snapshot: Callable[[], None]) -> None:
    for numbers in (range(15), range(15, 500)):
        for number in numbers:
            query(number)
            sign_in(number)
            load(number)
        snapshot()
