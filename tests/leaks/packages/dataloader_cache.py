"""aiodataloader: one loader for the life of the process caches each key; it is meant for one request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiodataloader import DataLoader


class Users(DataLoader[int, dict[str, Any]]):
    async def batch_load_fn(self, keys: list[int]) -> list[dict[str, Any]]:
        return [{"id": key, "name": f"user {key}", "tags": ["a", "b"]} for key in keys]


LOADERS: list[Users] = []


async def main(snapshot: Callable[[], None]) -> None:
    users = Users()
    LOADERS.append(users)
    for number in range(3000):
        if number == 500:
            snapshot()
        await users.load(number)
    snapshot()
