"""The alert of a service names what grows and the code that allocates, for leaks that counts of objects do not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes.programs import next_json, program, window_settings

SERVICE = """
import ast, collections, hashlib, json, linecache, logging, os, queue, sys, threading, time, types, uuid
import heap_exporter
from heap_exporter.notify.payload import alert_document

exporter = heap_exporter.start(port=0, growth_threshold=1)
exporter.monitor.on("leak", lambda alert: print(json.dumps(alert_document(alert)), flush=True))

{}

for number in range(10**9):
    leak(number)
    time.sleep({})
"""

LARGE_PAGES = """
PAGES = {}
def leak(number): PAGES[number] = bytearray(os.urandom(2_000_000))
"""

HEAVY_SITES = """
class Page:
    def __init__(self, number): self.words = ["word %d of %d" % (i, number) for i in range(12_000)]
class Site:
    def __init__(self, number): self.pages = collections.deque(Page(number) for _ in range(3))
SITES = [Site(number) for number in range(8)]
def leak(number): SITES.append(Site(number))
"""

GENERATED = """
def leak(number):
    lines = ["    out.append(render_%d(row[%d]))\\n" % (number, column) for column in range(200)]
    name = "<template %d>" % number
    linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
"""

TYPES = """
ANSWERS = collections.deque()
def leak(number):
    answer = type("Answer_" + uuid.uuid4().hex, (), {"__slots__": ("text",)})()
    answer.text = "answer %d " % number * 3000
    ANSWERS.append(answer)
"""

ATTRIBUTES = """
class Carts: pass
class Shop:
    def __init__(self): self.carts = Carts()
SHOP = Shop()
def leak(number): setattr(SHOP.carts, "cart_%s" % str(uuid.uuid4()).replace("-", "_"), "line %d " % number * 3000)
"""

MODULES = """
def leak(number):
    module = types.ModuleType("plugin_" + hashlib.md5(b"%d" % number).hexdigest())
    module.RULES = "rule %d " % number * 3000
    sys.modules[module.__name__] = module
"""

HANDLER = """
class Recent(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []
    def emit(self, record): self.lines.append(record.getMessage() * 20)
LOG = logging.getLogger("shop")
LOG.propagate = False
LOG.addHandler(Recent())
def leak(number): LOG.error("order %d of %s", number, "customer " * 100)
"""

THREAD = """
class Mailer(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.outbox, self.sent = queue.Queue(), {}
    def run(self):
        while True:
            number = self.outbox.get()
            self.sent[number] = "mail %d " % number * 3000
def started():
    mailer = Mailer()
    mailer.start()
    return mailer.outbox
OUTBOX = started()
def leak(number): OUTBOX.put(number)
"""

CLOSURE = """
def remembering(find):
    found = collections.OrderedDict()
    def look_up(number):
        if number not in found:
            found[number] = find(number)
        return found[number]
    return look_up
price = remembering(lambda number: "price %d " % number * 3000)
def leak(number): price(number)
"""

SOON = 0.02
NOT_OFTEN = 0.2

KINDS = {
    "few large objects": (LARGE_PAGES, NOT_OFTEN, "bytearray", "__main__.PAGES", "Entries are added"),
    "few heavy trees": (HEAVY_SITES, NOT_OFTEN, "__main__.Site", "__main__.SITES", "Items are added"),
    "generated code": (GENERATED, SOON, "tuple", "linecache.cache", "Entries are added"),
    "types made at run time": (TYPES, SOON, "__main__.Answer_…", "__main__.ANSWERS", "Items are added"),
    "attributes made at run time": (ATTRIBUTES, SOON, "str", "__main__.SHOP → Shop.carts", "Attributes are set"),
    "modules made at run time": (MODULES, SOON, "module", "sys.modules", "Modules are put into"),
    "a list in a handler": (
        HANDLER,
        SOON,
        "str",
        "__main__.LOG → Logger.handlers → list item → Recent.lines",
        "Items are added",
    ),
    "a dict in a thread": (THREAD, SOON, "str", "threading._active → dict value → Mailer.sent", "Entries are added"),
    "a dict in a closure": (CLOSURE, SOON, "str", "__main__.price → closure found", "Entries are added"),
}
"""Kind → program, seconds between two additions, type, holder, beginning of the advice."""


@pytest.mark.parametrize(
    "kind", [kind if kind == "few large objects" else pytest.param(kind, marks=pytest.mark.long) for kind in KINDS]
)
def test_the_alert_names_the_container_that_grows_and_the_code_that_allocates(kind: str, tmp_path: Path) -> None:
    body, pause_seconds, type_name, holder, advice = KINDS[kind]

    with program(SERVICE.format(body, pause_seconds), tmp_path, **window_settings(4)) as process:
        alert = next_json(process)

    assert (alert["type_name"], alert["holder"]) == (type_name, holder)
    assert alert["advice"].startswith(advice)
    assert alert["growth_share"] > 0.9
    largest = alert["allocated_at"][0]
    assert (largest["caller"] or largest)["file"] == "program.py"
    assert 0 < largest["plus_minus_bytes"] < largest["bytes"]
