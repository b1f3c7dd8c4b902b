"""requests: a hook added to the shared session for each request."""

from __future__ import annotations

from collections.abc import Callable

import requests

SESSION = requests.Session()


def call(number):
    context = {"id": number, "rows": ["x"] * 100}
    SESSION.hooks["response"].append(lambda response, *a, **k: context)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(3000):
        if number == 500:
            snapshot()
        call(number)
    snapshot()
