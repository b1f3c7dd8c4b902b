"""Importing the package is cheap, and its imports have one direction."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import heap_exporter

PACKAGE = Path(heap_exporter.__file__).parent

FORBIDDEN = ("grpc", "numpy", "rich", "wsgiref", "werkzeug", "opentelemetry", "prometheus_client", "psutil", "ctypes")

ORDER = [
    "_version", "errors", "runtime", "model", "metrics", "settings", "heapfile", "analysis", "report", "walker",
    "probes", "allocations", "detection", "snapshot", "upload", "recording", "investigation", "alerting", "export",
    "notify", "fleet", "pipeline", "monitor", "web", "agent", "autostart", "demo", "leak_check", "pytest_plugin", "cli",
]  # fmt: skip  # one reading
"""Imports point from later packages to earlier ones only; ``__init__`` and ``__main__`` import from all."""


def test_importing_the_package_imports_nothing_heavy_and_starts_nothing() -> None:
    code = "import sys, threading, heap_exporter; print(threading.active_count(), *sys.modules)"

    threads, *modules = subprocess.check_output([sys.executable, "-c", code], text=True).split()

    assert threads == "1"
    assert not [name for name in modules if name.split(".")[0] in FORBIDDEN]


def test_every_public_name_is_there() -> None:
    for name in heap_exporter.__all__:
        assert getattr(heap_exporter, name) is not None


def _package(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "heap_exporter":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("heap_exporter."):
            found.add((node.module or "").split(".")[1])
    return found


def test_imports_point_from_later_rooms_to_earlier_ones() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        package = _package(path)
        if package in ("__init__", "__main__"):
            continue
        assert package in ORDER, f"add the new package {package} to ORDER"
        allowed = {package, *ORDER[: ORDER.index(package)]}
        wrong += [f"{path.name} imports {name}" for name in _imports(path) if name in ORDER and name not in allowed]

    assert wrong == []


def test_the_table_in_contributing_is_the_tree() -> None:
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
    table = text.partition("## The packages")[2].partition("\n## ")[0]
    entries = {path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    in_tree = {f"{path.name}/" if path.is_dir() else path.name for path in entries if not path.name.startswith("_")}

    in_table = {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }
    assert in_table == in_tree | {
        "_native/",
        "_kernels/",
        "_allocations/",
        "alerts/",
        "dashboards/",
        "deploy/",
        "training/",
    }


def test_the_order_of_imports_names_every_package() -> None:
    assert {_package(path) for path in PACKAGE.rglob("*.py")} - {"__init__", "__main__"} == set(ORDER)
