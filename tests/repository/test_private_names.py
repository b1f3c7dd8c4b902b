"""No module but one uses a private name of a dependency; names of CPython are listed here with their reasons."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "heap_exporter"
OWN = "heap_exporter"
ALLOWED_MODULES = {PACKAGE / "export" / "otel_internals.py"}

NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make", "_field_defaults"}
"""Public methods of ``typing.NamedTuple``; the underscore keeps them apart from fields."""

STANDARD_LIBRARY = {
    "_getframe", "_current_frames", "_PyObject_DebugMallocStats", "_NamedFuncPointer", "_active", "_exit",
    "_tstate_lock", "_shutdown_locks", "_ident", "_native_id", "_module_locks",
}  # fmt: skip  # one reading
"""CPython is no dependency. These are documented in ``sys`` and ``os``, exported for debuggers, the type of a function
of ``ctypes``, and of ``threading`` the table of threads and what describes the main thread, until 3.12, and the
table of locks of the import system, which no function resets."""


Nodes = list[ast.AST]


def nodes_of(path: Path) -> Nodes:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@functools.cache
def modules() -> dict[Path, Nodes]:
    return {path: nodes_of(path) for path in sorted(PACKAGE.rglob("*.py"))}


def is_private(dotted_name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in dotted_name.split("."))


def is_of_a_dependency(module: str) -> bool:
    return module.partition(".")[0] not in {OWN, *sys.stdlib_module_names, "_typeshed"}


def private_imports(nodes: Nodes) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if is_private(name) and is_of_a_dependency(name))


def private_texts(nodes: Nodes) -> Iterator[str]:
    """Yield texts that name a private module of a dependency, as a look-up in ``sys.modules`` has them."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            text = node.value
            if text.replace(".", "").isidentifier() and is_private(text) and is_of_a_dependency(text):
                yield text


def defined_names(nodes: Nodes) -> Iterator[str]:
    """Yield what a module defines: functions, classes, and all that it assigns or annotates."""
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                yield name


def private_attributes(nodes: Nodes) -> Iterator[str]:
    """Yield private names behind a dot, and those given as text to ``getattr`` and its kin."""
    for node in nodes:
        match node:
            case ast.Attribute(attr=name) if is_private(name):
                yield name
            case ast.Call(func=ast.Name(id=called), args=[_, ast.Constant(value=str(name)), *_]):
                if called.endswith("attr") and is_private(name):
                    yield name


def test_no_module_imports_or_names_a_private_name_of_a_dependency() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): sorted({*private_imports(nodes), *private_texts(nodes)})
        for path, nodes in modules().items()
        if path not in ALLOWED_MODULES
    }

    assert {path: names for path, names in found.items() if names} == {}


def test_every_private_attribute_that_the_package_uses_is_one_that_it_defines() -> None:
    trees = modules()
    own = {name for nodes in trees.values() for name in defined_names(nodes)} | NAMED_TUPLE | STANDARD_LIBRARY
    foreign = {
        path.relative_to(PACKAGE).as_posix(): sorted(set(private_attributes(nodes)) - own)
        for path, nodes in trees.items()
        if path not in ALLOWED_MODULES
    }

    assert {path: names for path, names in foreign.items() if names} == {}


def test_the_one_module_uses_private_names_and_each_of_its_functions_says_what_it_returns() -> None:
    for path in ALLOWED_MODULES:
        nodes = modules()[path]
        public = [node for node in nodes if isinstance(node, ast.FunctionDef) and not is_private(node.name)]

        assert list(private_texts(nodes))
        assert all(ast.get_docstring(node) for node in public if node.name != "__init__")
