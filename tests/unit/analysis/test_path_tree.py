"""Paths are in Python's terms, and the same wherever CPython stores the references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from heap_exporter import analysis
from heap_exporter.analysis.results import Heap, HoldingKind, retainer_path
from heap_exporter.analysis.summary import summarise
from heap_exporter.model import Step, StepKind
from heap_exporter.report.path_text import path_text, path_to_group
from tests.heaps.kernels import KERNELS, Load
from tests.heaps.objects import Made, dict_of, function, made, module, with_dict, write


def item() -> Made:
    return made("shop.Item")


def path_to_item(path: Path, modules: Mapping[str, Made], **how: object) -> str:
    """Return the path to the one group of objects of type shop.Item."""
    heap = analysis.open(write(path / "a.heap", modules, **how))  # type: ignore[arg-type]  # what write() takes
    [found] = [i for i, group in enumerate(heap.groups) if group.type_name == "shop.Item"]
    return path_to_group(heap, found)


def lru_cache_of(*entries: Made) -> Made:
    return made("functools._lru_cache_wrapper", made("dict"), *entries)


def context(*pairs: Made) -> Made:
    nodes = made("hamt_array_node", made("hamt_bitmap_node", *pairs))
    return made("_contextvars.Context", made("hamt", nodes))


HOLDERS: dict[str, tuple[Callable[[], Made], str]] = {
    "a global": (item, "shop.X → Item"),
    "a list": (lambda: made("list", item()), "shop.X → list item → Item"),
    "a tuple": (lambda: made("tuple", item()), "shop.X → tuple item → Item"),
    "a set": (lambda: made("set", item()), "shop.X → set item → Item"),
    "a deque": (lambda: made("collections.deque", item()), "shop.X → deque item → Item"),
    "a dict's value": (lambda: dict_of({"sofa": item()}), "shop.X → dict value → Item"),
    "a dict's key": (lambda: Made("dict", rest=[item(), made("int")]), "shop.X → dict key → Item"),
    "an attribute": (lambda: made("shop.Cart", first=item()), "shop.X → Cart.first → Item"),
    "an attribute in a dict": (lambda: with_dict("shop.Cart", first=item()), "shop.X → Cart.first → Item"),
    "carts of sessions": (
        lambda: dict_of({"a": made("shop.Session", cart=made("list", item()))}),
        "shop.X → dict value → Session.cart → list item → Item",
    ),
    "a closure": (lambda: function({"cache": item()}), "shop.X → closure cache → Item"),
    "a default": (lambda: function(__defaults__=made("tuple", item())), "shop.X → argument default → Item"),
    "a bound method": (lambda: made("method", __self__=item()), "shop.X → bound method's self → Item"),
    "a partial": (lambda: made("functools.partial", args=made("tuple", item())), "shop.X → partial argument → Item"),
    "an lru_cache": (lambda: lru_cache_of(item()), "shop.X → lru_cache entry → Item"),
    "arguments of an lru_cache": (
        lambda: lru_cache_of(made("tuple", item())),
        "shop.X → lru_cache entry → tuple item → Item",
    ),
    "a generator": (lambda: made("generator", rows=item()), "shop.X → generator local rows → Item"),
    "a coroutine that awaits another": (
        lambda: made("coroutine", made("coroutine", job=item())),
        "shop.X → awaited by coroutine → coroutine local job → Item",
    ),
    "a task": (
        lambda: made("_asyncio.Task", made("coroutine", job=item())),
        "shop.X → task's coroutine → coroutine local job → Item",
    ),
    "a weak reference's callback": (
        lambda: made("weakref.ReferenceType", made("method", __self__=item())),
        "shop.X → weakref callback → bound method's self → Item",
    ),
    "a context": (lambda: context(made("_contextvars.ContextVar"), item()), "shop.X → context value → Item"),
    "a thread's own data": (
        lambda: made("_thread._local", made("dict", made("weakref.ReferenceType"), dict_of({"x": item()}))),
        "shop.X → thread-local attribute → Item",
    ),
    "a traceback": (
        lambda: made("ValueError", __traceback__=made("traceback", tb_frame=made("frame", row=item()))),
        "shop.X → ValueError.__traceback__ → traceback frame → frame local row → Item",
    ),
    "a handler of a logger": (
        lambda: made("logging.Logger", handlers=made("list", made("logging.FileHandler", formatter=item()))),
        "shop.X → Logger.handlers → list item → FileHandler.formatter → Item",
    ),
    "a timer": (
        lambda: made(
            "asyncio.unix_events._UnixSelectorEventLoop",
            _scheduled=made("list", made("asyncio.events.TimerHandle", _args=made("tuple", item()))),
        ),
        "event loop › scheduled callback → callback argument → Item",
    ),
    "a class": (
        lambda: made("type", __dict__=dict_of({"CACHE": dict_of({"a": item()})}), __mro__=made("tuple")),
        "shop.X.CACHE → dict value → Item",
    ),
    "a class in a list": (
        lambda: made("list", made("shop.Meta", __dict__=dict_of({"CACHE": item()}), __mro__=made("tuple"))),
        "shop.X → list item → class.CACHE → Item",
    ),
    "a C type": (lambda: made("lib.Tree", item()), "shop.X → inside Tree → Item"),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_the_path_names_what_holds_the_object(holder: str, tmp_path: Path) -> None:
    make, text = HOLDERS[holder]

    assert path_to_item(tmp_path, {"shop": module(X=make())}) == text


def test_a_local_variable_belongs_to_a_function_of_a_thread(tmp_path: Path) -> None:
    frames = [("shop.__main__.main.<locals>.serve", {}), ("shop.__main__.main", {"cache": made("list", item())})]

    text = path_to_item(tmp_path, {"shop.__main__": module()}, threads={"MainThread": frames})

    assert text == "thread MainThread › main() › cache → list item → Item"


def test_a_variable_in_a_cell_is_a_variable(tmp_path: Path) -> None:
    frames = [("shop.serve", {"cache": made("cell", cell_contents=item())})]

    text = path_to_item(tmp_path, {"shop": module()}, threads={"MainThread": frames})

    assert text == "thread MainThread › serve() › cache → Item"


def test_the_threads_of_a_pool_are_one_path(tmp_path: Path) -> None:
    threads = {f"ThreadPoolExecutor-0_{n}": [("shop.work", {"job": item()})] for n in range(3)}

    text = path_to_item(tmp_path, {"shop": module()}, threads=threads)

    assert text == "thread ThreadPoolExecutor-…_… › work() › job → Item"


def test_names_that_differ_in_their_numbers_are_one_path(tmp_path: Path) -> None:
    cart = made("shop.Cart", item_1=item(), item_2=item(), item_30=item())

    assert path_to_item(tmp_path, {"shop": module(X=cart)}) == "shop.X → Cart.item_… → Item"


def test_a_name_that_occurs_once_keeps_its_number(tmp_path: Path) -> None:
    assert path_to_item(tmp_path, {"shop": module(SHA256=item())}) == "shop.SHA256 → Item"


@pytest.mark.parametrize("first", ["app", "sessions"])
def test_a_global_belongs_to_the_module_of_its_contents_not_to_one_that_imported_it(first: str, tmp_path: Path) -> None:
    sessions, key = made("list", item()), Made("str", text="SESSIONS")
    holder = made("module", __dict__=Made("dict", rest=[key, sessions]))
    importer = made("module", __dict__=Made("dict", rest=[key, sessions]))
    modules = {"shop": holder, "web": importer} if first == "sessions" else {"web": importer, "shop": holder}

    assert path_to_item(tmp_path, modules) == "shop.SESSIONS → list item → Item"


def test_a_global_belongs_to_the_module_that_imports_nothing_from_the_others(tmp_path: Path) -> None:
    key, found = Made("str", text="CACHE"), dict_of({"a": made("bytes")})
    home = Made("dict", rest=[key, found])
    of_home = function(__globals__=home)
    importer = Made("dict", rest=[Made("str", text="get"), of_home, key, found])

    heap = analysis.open(
        write(tmp_path / "a.heap", {"web": made("module", __dict__=importer), "lib": made("module", __dict__=home)})
    )

    texts = {path_to_group(heap, i) for i, group in enumerate(heap.groups) if group.type_name in ("bytes", "function")}
    assert texts == {"lib.CACHE → dict value → bytes", "web.get → function"}


def test_objects_held_by_c_code_and_garbage_have_paths_of_their_own(tmp_path: Path) -> None:
    held = made("shop.Buffer", made("bytes"), extra=1)
    cycle = made("shop.Node", payload=item())
    cycle.named["next"] = cycle

    heap = analysis.open(write(tmp_path / "a.heap", {}, loose=[held, cycle]))

    assert texts(heap) == {
        "held from outside → Buffer",
        "held from outside → Buffer → inside Buffer → bytes",
        "garbage → Node",
        "garbage → Node.payload → Item",
    }
    assert [(holding.kind, holding.objects) for holding in heap.holdings] == [
        (HoldingKind.REACHABLE, 0),
        (HoldingKind.OUTSIDE, 2),
        (HoldingKind.GARBAGE, 2),
    ]


def test_the_bytes_of_all_groups_are_those_of_the_heap(tmp_path: Path) -> None:
    store = dict_of({name: with_dict("shop.Session", cart=made("list", item())) for name in "abc"})
    local = made("cell", cell_contents=made("list"))
    heap = analysis.open(
        write(
            tmp_path / "a.heap",
            {"shop": module(X=store)},
            threads={"MainThread": [("shop.main", {"x": local}), ("shop.idle", {})]},
            interpreter={"context": context(item())},
        )
    )

    assert sum(group.shallow_bytes for group in heap.groups) == heap.shallow_bytes == heap.groups[0].total_bytes
    assert heap.groups[0].retained_bytes == heap.shallow_bytes
    for number, group in enumerate(heap.groups):
        below = sum(each.total_bytes for each in heap.groups if each.parent == number)
        assert group.parent < number
        assert group.total_bytes == group.shallow_bytes + below


def test_a_dict_behind_attributes_counts_in_bytes_not_in_objects(tmp_path: Path) -> None:
    sessions = made("list", *(with_dict("shop.Session", id=made("int")) for _ in range(5)))
    heap = analysis.open(write(tmp_path / "a.heap", {"shop": module(X=sessions)}))

    [group] = [group for group in heap.groups if group.type_name == "shop.Session"]

    assert (group.objects, group.shallow_bytes) == (5, 5 * (64 + 64))
    assert group.retained_bytes == 5 * (64 + 64 + 64 + 64)  # and the number, and the key that only this dict has


def test_a_thread_whose_frame_has_only_an_empty_cell_can_be_compared(tmp_path: Path) -> None:
    frames = [("shop.wait", {"event": made("cell")})]
    heap = analysis.open(write(tmp_path / "a.heap", {"shop": module()}, threads={"idle": frames}))

    assert all(group.parent < index for index, group in enumerate(heap.groups))
    assert analysis.compare(heap, heap).suspects == ()


def test_threads_and_frames_without_objects_are_left_out(tmp_path: Path) -> None:
    heap = analysis.open(
        write(
            tmp_path / "a.heap",
            {},
            threads={"MainThread": [("shop.main", {"x": item()})], "idle": [("shop.wait", {})]},
        )
    )

    assert not any(group.step.name in ("idle", "wait") for group in heap.groups)


def texts(heap: Heap) -> set[str]:
    """Return the paths to all objects."""
    return {path_to_group(heap, i) for i, group in enumerate(heap.groups) if group.type_name}


def below_root(*steps: Step) -> tuple[Step, ...]:
    return retainer_path([Step(StepKind.ROOT), *steps])


MODULE = Step(StepKind.MODULE, "", "shop")
CLASS = Step(StepKind.MODULE_GLOBAL, "shop", "Service")
CLASS_ATTRIBUTE = Step(StepKind.CLASS_ATTRIBUTE, "shop.Service", "CACHE")
VALUE = Step(StepKind.DICT_VALUE, "dict")


def test_a_path_leaves_out_the_steps_that_the_next_one_names() -> None:
    assert below_root(Step(StepKind.MODULES), MODULE, CLASS, CLASS_ATTRIBUTE, VALUE) == (CLASS_ATTRIBUTE, VALUE)
    assert below_root(Step(StepKind.MODULES), MODULE, CLASS) == (CLASS,)
    assert below_root(Step(StepKind.GARBAGE), VALUE) == (Step(StepKind.GARBAGE), VALUE)


def test_a_function_of_an_instance_is_named_once() -> None:
    cache = Step(StepKind.MODULE_GLOBAL, "re", "_compile_repl")
    parameters = Step(StepKind.ATTRIBUTE, "functools._lru_cache_wrapper", "cache_parameters")
    code = Step(StepKind.FUNCTION_ATTRIBUTE, "_lru_cache_wrapper.cache_parameters", "__code__")

    assert below_root(Step(StepKind.MODULES), Step(StepKind.MODULE, "", "re"), cache, parameters, code) == (cache, code)


def test_a_local_variable_is_never_left_out() -> None:
    frame = (Step(StepKind.THREAD, "", "MainThread"), Step(StepKind.FRAME, "", "main"))
    local = Step(StepKind.LOCAL_VARIABLE, "", "function")
    code = Step(StepKind.FUNCTION_ATTRIBUTE, "function", "__code__")

    assert below_root(Step(StepKind.THREADS), *frame, local, code) == (*frame, local, code)


@pytest.mark.parametrize("load", KERNELS.values(), ids=KERNELS)
def test_names_made_at_run_time_are_one_group_of_the_graph(load: Load, tmp_path: Path) -> None:
    tokens = [f"{number:032x}" for number in range(1, 41)]
    rows = made("list", *(made(f"shop.Row_{number}", cells=made("list", made("int"))) for number in range(40)))
    state = with_dict("shop.State", **{f"session_{token}": made("shop.Cart") for token in tokens})
    plugins = {f"plugin_{token}": module(TABLE=made("list", made("float"))) for token in tokens}

    graph = load(write(tmp_path / "a.heap", {"shop": module(ROWS=rows, STATE=state), **plugins}))
    found = {
        (path_text(heap.steps(i)), group.type_name): group.objects
        for heap in [summarise(graph)]
        for i, group in enumerate(heap.groups)
        if group.objects == 40
    }

    assert found == {
        ("shop.ROWS → list item", "shop.Row_…"): 40,
        ("shop.ROWS → list item → Row_….cells", "list"): 40,
        ("shop.ROWS → list item → Row_….cells → list item", "int"): 40,
        ("shop.STATE → attribute name", "str"): 40,
        ("shop.STATE → State.session_…", "shop.Cart"): 40,
        ("plugin_…", "module"): 40,
        ("plugin_… → attribute name", "str"): 40,
        ("plugin_….TABLE", "list"): 40,
        ("plugin_….TABLE → list item", "float"): 40,
    }
    assert len(graph.group_parent) < 40
