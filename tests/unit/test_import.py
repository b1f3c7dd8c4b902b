"""What importing the package costs, and which way imports may point."""

import ast
import subprocess
import sys
from pathlib import Path

import heap_exporter

PACKAGE = Path(heap_exporter.__file__).parent

FORBIDDEN = ("grpc", "numpy", "rich", "cheroot", "werkzeug", "opentelemetry", "prometheus_client", "psutil", "ctypes")

ORDER = [
    "_version", "errors", "runtime", "model", "metrics", "settings", "heapfile", "analysis", "report", "walker",
    "probes", "detection", "snapshot", "upload", "recording", "investigation", "alerting", "export", "notify",
    "pipeline", "monitor", "web", "agent", "demo", "cli",
]  # fmt: skip  # one reading
"""Imports point from later packages to earlier ones only; ``__init__`` and ``__main__`` are doors, not packages."""


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
        assert package in ORDER, f"{package} is a new package: give it its place"
        allowed = {package, *ORDER[: ORDER.index(package)]}
        wrong += [f"{path.name} imports {name}" for name in _imports(path) if name in ORDER and name not in allowed]

    assert wrong == []


def test_the_table_in_contributing_has_every_package() -> None:
    table = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()

    missing = [package for package in ORDER if f"`{package}.py`" not in table and f"`{package}/`" not in table]
    assert missing == ["_version"]
