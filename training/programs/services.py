"""Services of well-known frameworks, healthy and leaking: each answers requests of its own client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from training.programs.work import record, serve, text

held: list[object] = []
"""What leaking handlers never remove."""


def _flask(rng: Random, handle: Callable[[], object]) -> Iterator[float]:
    import flask

    app = flask.Flask("service")
    app.add_url_rule("/<name>", "page", lambda name: {"name": name, "rows": str(handle())})
    client = app.test_client()
    while True:
        for _ in range(rng.randrange(1, 5)):
            client.get(f"/{text(rng, 1)}")
        yield rng.uniform(0.2, 0.9)


def flask_healthy(rng: Random) -> Iterator[float]:
    yield from _flask(rng, lambda: [record(rng) for _ in range(20)])


def flask_leaking(rng: Random) -> Iterator[float]:
    yield from _flask(rng, lambda: held.append([record(rng) for _ in range(8)]))


def _starlette(rng: Random, handle: Callable[[], object]) -> Iterator[float]:
    import httpx
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def page(request: Request) -> JSONResponse:
        return JSONResponse({"path": request.url.path, "rows": str(handle())})

    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/{name}", page)]), port=0, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        yield 0.1
    port = server.servers[0].sockets[0].getsockname()[1]
    client = httpx.Client()
    while True:
        for _ in range(rng.randrange(1, 4)):
            client.get(f"http://127.0.0.1:{port}/{text(rng, 1)}")
        yield rng.uniform(0.3, 1)


def starlette_healthy(rng: Random) -> Iterator[float]:
    yield from _starlette(rng, lambda: [record(rng) for _ in range(20)])


def starlette_leaking(rng: Random) -> Iterator[float]:
    yield from _starlette(rng, lambda: held.append([record(rng) for _ in range(10)]))


def _celery(rng: Random, handle: Callable[[], object]) -> Iterator[float]:
    import celery
    from celery.contrib.testing.worker import start_worker

    app = celery.Celery(broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.result_expires = 30

    def work(name: str) -> int:
        return len(str(handle())) + len(name)

    task: Any = app.task(ignore_result=True, name="work")(work)
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="error"):
        while True:
            for _ in range(rng.randrange(1, 6)):
                task.delay(text(rng))
            yield rng.uniform(0.3, 1)


def celery_healthy(rng: Random) -> Iterator[float]:
    yield from _celery(rng, lambda: [record(rng) for _ in range(20)])


def celery_leaking(rng: Random) -> Iterator[float]:
    yield from _celery(rng, lambda: held.append([record(rng) for _ in range(8)]))


def _gevent(rng: Random, handle: Callable[[], object]) -> Iterator[float]:
    import gevent

    while True:
        gevent.joinall([gevent.spawn(handle) for _ in range(rng.randrange(2, 30))], timeout=0.05)
        yield rng.uniform(0.2, 0.9)


def gevent_healthy(rng: Random) -> Iterator[float]:
    yield from _gevent(rng, lambda: serve(rng))


def gevent_leaking(rng: Random) -> Iterator[float]:
    import gevent.event

    never = gevent.event.Event()

    def handle() -> None:
        rows = [record(rng) for _ in range(3)]
        held.append(gevent.getcurrent())
        never.wait()
        rows.clear()

    yield from _gevent(rng, handle)


def pyarrow_leaking(rng: Random) -> Iterator[float]:
    import pyarrow as pa

    while True:
        held.append(pa.array([rng.random() for _ in range(int(rng.lognormvariate(8, 1)))]))
        serve(rng)
        yield rng.uniform(0.5, 2)
