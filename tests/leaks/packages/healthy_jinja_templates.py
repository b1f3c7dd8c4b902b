"""jinja2: more templates than the environment caches."""

from __future__ import annotations

from collections.abc import Callable

import jinja2

TEMPLATES = {f"page-{number}.html": "<p>{{ title }} " + "{{ x }}" * 10 + f" {number}</p>" for number in range(300)}
ENVIRONMENT = jinja2.Environment(loader=jinja2.DictLoader(TEMPLATES), cache_size=100)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(600):
        if number == 200:
            snapshot()
        ENVIRONMENT.get_template(f"page-{number % 300}.html").render(title=number, x=1)
    snapshot()
