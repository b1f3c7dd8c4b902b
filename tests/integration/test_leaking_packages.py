"""Programs on published packages: the first suspect has the type and the holder of the leak; caches have no suspect."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from heap_exporter import analysis
from heap_exporter.analysis import Diff
from heap_exporter.report.path_text import path_text

REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 120
HERE = "tests.leaks.packages"


class Leak(NamedTuple):
    """A program, the module that it needs, and the right answer: the holder and the type that accumulates."""

    name: str
    module: str
    holder: str
    type_name: str
    min_share: float = 0.5

    def __str__(self) -> str:
        return self.name


QUICK = (
    Leak("pyee_listeners", "pyee", "{}.BUS → EventEmitter._events → dict value", "{}.Connection"),
    Leak("watchdog_handlers", "watchdog", "{}.OBSERVER → InotifyObserver._handlers → defaultdict value", "{}.Handler"),
)

OTHERS = (
    Leak(
        "marshmallow_schemas",
        "marshmallow",
        "marshmallow.class_registry._registry",
        "marshmallow.schema.SchemaMeta",
        0.4,
    ),
    Leak("soup_strings", "bs4", "{}.TITLES", "bs4.element.NavigableString"),
    Leak(
        "apscheduler_jobs",
        "apscheduler",
        "{}.SCHEDULER → BackgroundScheduler._jobstores → dict value → MemoryJobStore._jobs",
        "apscheduler.job.Job",
    ),
    Leak("blinker_receivers", "blinker", "{}.SAVED → NamedSignal.receivers", "function"),
    Leak("cachetools_memo", "cachetools", "{}.CACHE", "{}.Report"),
    Leak("cookie_jar", "aiohttp", "{}.JARS → list item → CookieJar._cookies", "tuple"),
    Leak("dataloader_cache", "aiodataloader", "{}.LOADERS → list item → Users._cache", "_asyncio.Future"),
    Leak("faker_unique", "faker", "{}.FAKE → Faker._unique_proxy → UniqueProxy._seen → dict value", "str"),
    Leak("loguru_sinks", "loguru", "loguru.logger → Logger._core → Core.handlers", "loguru._handler.Handler"),
    Leak("networkx_graph", "networkx", "{}.GRAPH → DiGraph._adj", "dict"),
    Leak("paho_queue", "paho", "{}.CLIENT → Client._out_messages", "paho.mqtt.client.MQTTMessage"),
    Leak(
        "prometheus_labels",
        "prometheus_client",
        "{}.LATENCY → Histogram._metrics",
        "prometheus_client.metrics.Histogram",
    ),
    Leak("requests_hooks", "requests", "{}.SESSION → Session.hooks → dict value", "function"),
    Leak("sqlalchemy_pending", "sqlalchemy", "{}.SESSION → Session._new", "sqlalchemy.orm.state.InstanceState"),
    Leak("structlog_contextvars", "structlog", "structlog.contextvars._CONTEXT_VARS", "_contextvars.ContextVar"),
    Leak("tornado_callbacks", "tornado", "event loop", "tornado.ioloop.PeriodicCallback"),
    Leak("transitions_models", "transitions", "{}.MACHINE → Machine.models", "{}.Order"),
)

HEALTHY_QUICK = {"lexer_warm_up": "pygments"}
HEALTHY_OTHERS = {
    "compiled_statements": "sqlalchemy",
    "connection_pools": "urllib3",
    "jinja_templates": "jinja2",
    "lexers": "pygments",
    "ttl_cache": "cachetools",
}


def compared(name: str, module: str, folder: Path) -> Diff:
    """Run a program that takes two snapshots; return the changes between them."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs {module}: the dependency group `leaks`")
    paths = folder / "before.heap", folder / "after.heap"
    command = [sys.executable, "-m", "tests.leaks.driver", f"packages.{name}", *map(str, paths)]
    done = subprocess.run(
        command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return analysis.compare(*map(analysis.open, paths))


def check_leak(leak: Leak, folder: Path) -> None:
    program = f"{HERE}.{leak.name}"
    first = compared(leak.name, leak.module, folder).suspects[0]

    assert (path_text(first.holder), first.type_name) == (leak.holder.format(program), leak.type_name.format(program))
    assert first.share > leak.min_share


def check_healthy(name: str, module: str, folder: Path) -> None:
    assert compared(f"healthy_{name}", module, folder).suspects == ()


@pytest.mark.parametrize("leak", QUICK, ids=str)
def test_the_first_suspect_is_what_the_package_keeps(leak: Leak, tmp_path: Path) -> None:
    check_leak(leak, tmp_path)


@pytest.mark.parametrize(("name", "module"), HEALTHY_QUICK.items())
def test_a_package_that_warms_up_has_no_suspect(name: str, module: str, tmp_path: Path) -> None:
    check_healthy(name, module, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("leak", OTHERS, ids=str)
def test_the_first_suspect_is_what_each_package_keeps(leak: Leak, tmp_path: Path) -> None:
    check_leak(leak, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(("name", "module"), HEALTHY_OTHERS.items())
def test_caches_and_pools_of_packages_have_no_suspect(name: str, module: str, tmp_path: Path) -> None:
    check_healthy(name, module, tmp_path)
