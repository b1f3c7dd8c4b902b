"""The processes of the demo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from tests.processes.programs import PATIENCE_SECONDS, environment


def test_the_shop_ends_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "heap_exporter", "demo", "--json", "--port=0", "--shop-port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(tmp_path)) as demo:
        assert demo.stdout
        assert demo.stdout.readline()
        (shop,) = psutil.Process(demo.pid).children()
        demo.kill()
        _, alive = psutil.wait_procs([shop], timeout=PATIENCE_SECONDS)

    assert not alive
