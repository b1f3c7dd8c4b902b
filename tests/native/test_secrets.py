"""Nothing that an application holds gets out: not by a file, a page, a metric, a header or a log line."""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.native.conftest import REPOSITORY
from tests.native.graphs import read
from tests.processes.programs import PATIENCE_SECONDS, eventually, get_json, next_json, program

MARK = "xqzvkj"
"""What every secret begins with; no name of anything has it."""

SECRETS_OF_A_KIND = 28
VALUES = {
    "str", "bytes", "bytearray", "wide", "dictvalue", "nested", "instance", "slots", "dataclass", "pair", "defaults",
    "closure", "constant", "context", "set", "deque", "generator", "fstring", "memory", "io", "array", "task",
    "modulename",
}  # fmt: skip  # a list of names
"""Kinds of secrets that are the key of no dict."""

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")

CODE = """
    import array, collections, contextvars, dataclasses, enum, functools, io, json, logging, os, re, sys
    import threading, types, weakref

    logging.basicConfig(level=logging.DEBUG, filename="app.log")
    mark, number = "".join(["xqz", "vkj"]), [0]

    def secret(kind):
        # Every other one could pass for a name.
        number[0] += 1
        return f"{mark}_{kind}_{number[0]:04}" + ("" if number[0] % 2 else "!-")

    class Slotted:
        __slots__ = ("value",)
        def __init__(self, value): self.value = value
    class Instance:
        def __init__(self, value): self.value = value; self.settings = {"password": value}
    @dataclasses.dataclass(slots=True)
    class Record:
        value: str
    Pair = collections.namedtuple("Pair", "left right")
    class Failure(Exception): pass

    def wait_with_locals(value):
        copy = value.upper().lower()
        done.wait()
        return copy
    def failing(value):
        local = value + ""
        raise Failure(value) from KeyError({value: local})
    def failed(value):
        try: failing(value)
        except Failure as failure: return failure
    def generate(value):
        local = value + ""
        yield
        print(local)
    def begun(value):
        made = generate(value)
        next(made)
        return made
    def defaults(value):
        def function(a=value, *, b=value + "b"): ...
        return function
    def closure(value):
        return lambda: value
    def constant(value):
        space = {"__name__": "made"}
        exec(f"def function():\\n {value!r}\\n a: {value!r} = 1\\n return {value!r}, b'x' + {value.encode()!r}", space)
        return space["function"]
    def of_class(value):
        return type("Made", (), {
            "token": value, "tokens": {value: 1}, "__doc__": value, "__annotations__": {"a": value}})
    def of_enum(value):
        return enum.Enum("Kind", {"FIRST": value, "SECOND": (value, 1)})
    def of_module(value):
        made = types.ModuleType("made", value)
        made.token = value
        made.table = {value: value}
        return made
    def of_environment(value):
        os.environ[f"KEY{number[0]}"] = value
        os.environ[value.replace("!", "").replace("-", "")] = "value"
    def of_thread(value):
        def run():
            local.token = value + "t"
            local.table = {value: 1}
            wait_with_locals(value)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
    def of_context(value):
        context = contextvars.copy_context()
        context.run(variable.set, value)
        return context
    def cached(value):
        function = functools.lru_cache(lambda key: [key])
        function(value)
        return function
    class Pause:
        def __await__(self): yield
    async def wait(value):
        local = value + ""
        await Pause()
        print(local)
    def of_task(value):
        made = wait(value)
        made.send(None)
        return made
    def of_wide_dict(value):
        return {f"{value}{index}": index for index in range(300)}
    class AttrDict(dict):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.__dict__ = self
    def evaluated(value):
        space = {value: 1}
        eval("1", space)
        return space
    def executed(value):
        space = {value: 1}
        exec("def function(): ...", space)
        return space
    def of_modules(value):
        sys.modules[value + "!-"] = types.ModuleType("made")
    def of_module_name(value):
        space = {"__name__": value + "!-", "wait": wait_with_locals}
        exec("def run(): wait('')", space)
        threading.Thread(target=space["run"], daemon=True).start()
        return space
    def interned(value):
        return sys.intern(value)

    done, local, variable = threading.Event(), threading.local(), contextvars.ContextVar("variable")
    KINDS = {
        "str": lambda v: v, "bytes": lambda v: v.encode(), "bytearray": lambda v: bytearray(v.encode()),
        "wide": lambda v: v + "\\u4e2d", "dictkey": lambda v: {v: 1}, "dictvalue": lambda v: {"password": v},
        "widedict": of_wide_dict, "mixeddict": lambda v: {v: 1, 5: 2, (v, 1): 3},
        "nested": lambda v: {"a": [{"b": (v,)}]}, "orderedkey": lambda v: collections.OrderedDict({v: 1}),
        "defaultkey": lambda v: collections.defaultdict(list, {v: []}),
        "counterkey": lambda v: collections.Counter([v]),
        "instance": Instance, "slots": Slotted, "dataclass": Record, "pair": lambda v: Pair(v, [v]),
        "exception": failed, "defaults": defaults, "closure": closure, "constant": constant, "class": of_class,
        "enum": of_enum, "module": of_module, "environment": of_environment, "thread": of_thread,
        "context": of_context, "set": lambda v: {v, (v, v)}, "deque": lambda v: collections.deque([v]),
        "generator": begun, "cache": cached, "fstring": lambda v: f"{v} and more",
        "memory": lambda v: memoryview(v.encode()), "io": lambda v: io.StringIO(v),
        "array": lambda v: array.array("u", v), "pattern": lambda v: re.compile(re.escape(v)), "task": of_task,
        "partial": lambda v: functools.partial(print, v, **{v: v}), "interned": interned,
        "weakdict": lambda v: weakref.WeakValueDictionary({v: Instance}),
        "proxy": lambda v: types.MappingProxyType({v: 1}),
        "attrdict": lambda v: AttrDict({v: 1}), "globals": lambda v: eval("lambda: 0", {v: 1}),
        "evaluated": evaluated, "executed": executed, "modules": of_modules, "modulename": of_module_name,
    }
    held = {kind: [make(secret(kind)) for _ in range(EACH)] for kind, make in KINDS.items()}

    import heap_exporter
    exporter = heap_exporter.start(port=0, interval=0.2, census_interval=1, census_cpu=100)
    print(json.dumps([exporter.url, number[0]]), flush=True)
    sys.stdin.readline()
    exporter.stop()
""".replace("EACH", str(SECRETS_OF_A_KIND))


@contextmanager
def service(folder: Path, **environ: str) -> Iterator[tuple[Popen[str], str]]:
    """A service full of secrets, watched; its URL."""
    with program(CODE, folder, PYTHONPATH=str(REPOSITORY), **environ) as process:
        url, secrets = next_json(process)
        assert secrets >= 1000
        yield process, url


def answers(url: str, *paths: str) -> Iterator[bytes]:
    """Yield all that is answered for these paths: bodies, and headers as text."""
    address = urllib.parse.urlsplit(url)
    for path in paths:
        for accept in ("text/html", "application/json", "text/plain", "application/openmetrics-text"):
            client = http.client.HTTPConnection(address.netloc, timeout=PATIENCE_SECONDS)
            client.request("GET", path, headers={"Accept": accept})
            response = client.getresponse()
            yield str(response.headers).encode()
            yield response.read()
            client.close()


def leaked(data: bytes) -> Counter[str]:
    """Return which kinds of secrets are in this, in any encoding."""
    found: Counter[str] = Counter()
    for encoding in ENCODINGS:
        mark = MARK.encode(encoding)
        for match in re.finditer(re.escape(mark), data):
            text = data[match.start() : match.start() + 40 * len(mark) // len(MARK)].decode(encoding, "replace")
            found[text.split("_")[1]] += 1
    return found


@pytest.mark.parametrize("walker", ["native", "portable"])
def test_no_secret_is_written(tmp_path: Path, walker: str) -> None:
    with service(tmp_path, HEAP_EXPORTER_WALKER=walker) as (process, url):
        eventually(lambda: get_json(f"{url}census"), lambda census: census.get("walker") == walker)
        taken = get_json(f"{url}snapshots", data=b"")
        paths = ("/", "/metrics", "/census", "/verdict", "/snapshots", f"/snapshots/{taken['id']}", "/-/healthy", "/no")
        report = list(answers(url, *paths, f"/snapshots/{taken['id']}/file"))
        _, errors = process.communicate("\n", timeout=PATIENCE_SECONDS)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "program.py"]

    assert any(file.startswith(b"\x89HEAP") for file in files)
    assert leaked(json.dumps(taken).encode()) == {}
    assert leaked(errors.encode()) == {}
    for data in (*report, *files):
        assert leaked(data) == {}, data[:80]


def test_with_keys_only_the_keys_of_dicts_are_written(tmp_path: Path) -> None:
    with service(tmp_path, HEAP_EXPORTER_WALKER="native", HEAP_EXPORTER_SNAPSHOT_KEYS="1") as (_, url):
        taken = get_json(f"{url}snapshots", data=b"")
        path = next(tmp_path.rglob(f"{taken['id']}*"))
        data = path.read_bytes()
        report = b"".join(answers(url, "/", "/metrics", "/census", "/snapshots"))

    assert read(path).header.keys is True
    found = leaked(data)
    assert found["dictkey"] >= SECRETS_OF_A_KIND
    assert not set(found) & VALUES
    assert leaked(report) == {}


def test_the_search_for_secrets_finds_planted_ones() -> None:
    """The test of the test: a secret in any encoding, anywhere, is seen."""
    secret = f"{MARK}_str_0001"

    for encoding in ENCODINGS:
        assert set(leaked(b"\x01" + secret.encode(encoding) + b"\x02")) == {"str"}
