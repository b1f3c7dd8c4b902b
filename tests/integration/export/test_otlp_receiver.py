"""The modules that the OTLP exporter imports, in its own interpreter."""

from __future__ import annotations

import subprocess
import sys


def imported(protocol: str) -> set[str]:
    """Return the names of the packages that a fresh interpreter has imported once it is ready to push."""
    script = f"""
import os, sys
from heap_exporter.export.otlp_receiver import find_receiver
receiver = find_receiver("", {{"OTEL_EXPORTER_OTLP_PROTOCOL": "{protocol}"}} | dict(os.environ))
if receiver:
    from heap_exporter.export.otlp import OtlpPusher
    OtlpPusher(receiver, lambda: None, print)
print(*sys.modules)
"""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"} if protocol else {}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_only_the_chosen_exporter_is_imported() -> None:
    assert {"opentelemetry", "grpc", "requests"}.isdisjoint(imported(""))
    assert "grpc" not in imported("http/protobuf")
    assert "grpc" in imported("grpc")
