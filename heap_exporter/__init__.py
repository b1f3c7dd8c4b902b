"""heap-exporter: the heap of a Python service as metrics, alerts on its slope, snapshots of what grows.

``heap_exporter.start()`` is all a service needs. Importing this package starts and opens nothing.
"""

from __future__ import annotations

from heap_exporter._version import VERSION

__version__ = VERSION

TYPE_CHECKING = False  # an import of typing would cost memory, also in the exit watcher
if TYPE_CHECKING:
    from typing import Any

    from heap_exporter.agent import HeapExporter, current, make_asgi_app, make_wsgi_app, register, start
    from heap_exporter.errors import HeapExporterError
    from heap_exporter.model import Census, LeakAlert, SnapshotInfo, Verdict
    from heap_exporter.monitor import HeapMonitor
    from heap_exporter.settings import Settings

__all__ = [
    "Census",
    "HeapExporter",
    "HeapExporterError",
    "HeapMonitor",
    "LeakAlert",
    "Settings",
    "SnapshotInfo",
    "Verdict",
    "__version__",
    "current",
    "make_asgi_app",
    "make_wsgi_app",
    "register",
    "start",
]

_MODULES = {
    "heap_exporter.agent": ("HeapExporter", "current", "make_asgi_app", "make_wsgi_app", "register", "start"),
    "heap_exporter.errors": ("HeapExporterError",),
    "heap_exporter.model": ("Census", "LeakAlert", "SnapshotInfo", "Verdict"),
    "heap_exporter.monitor": ("HeapMonitor",),
    "heap_exporter.settings": ("Settings",),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package costs next to nothing."""
    from importlib import import_module  # at the start of an interpreter, it would be the largest part

    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
