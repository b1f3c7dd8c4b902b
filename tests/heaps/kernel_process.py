"""Runs a kernel in a child process with a limit on its memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 120.0
"""A run takes less than a tenth of it; the limit ends a run that hangs."""

CHILD = """
import resource, sys
from pathlib import Path
from heap_exporter.errors import SnapshotFileError
from tests.heaps.kernels import KERNELS
kernel, path, mebibytes = sys.argv[1:]
load = KERNELS[kernel]
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (int(mebibytes) << 20),) * 2)
try:
    graph = load(Path(path))
except SnapshotFileError as error:
    print("refused:", error)
else:
    print(graph.objects, graph.references, len(graph.group_parent), graph.retained[graph.objects])
"""


def run_with_memory(path: Path, kernel: str, mebibytes: int) -> str:
    """Return what a child process prints about the file; it may use ``mebibytes`` more than at its start."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, kernel, path, str(mebibytes)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
    )  # fmt: skip  # a call
    assert done.returncode == 0, done.stderr
    return done.stdout
