"""aiohttp #11052: filtering cookies makes an empty SimpleCookie for every path of every host (3.10 to 3.12.3)."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
from yarl import URL

JARS: list[aiohttp.CookieJar] = []


async def main(snapshot: Callable[[], None]) -> None:
    jar = aiohttp.CookieJar()
    JARS.append(jar)
    jar.update_cookies({"session": "value; Path=/"}, URL("http://example.com/"))
    for number in range(2500):
        if number == 500:
            snapshot()
        jar.filter_cookies(URL(f"http://example.com/users/{number}/profile"))
    snapshot()
