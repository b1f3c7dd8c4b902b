"""A port on which an exporter of another process group listens."""

import subprocess
import sys

from heap_exporter.runtime.port_conflict import is_sibling_exporter
from tests.unit.runtime.test_port_conflict import answering, health


def test_an_exporter_of_another_process_group_is_not_a_sibling() -> None:
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, start_new_session=True, text=True) as other:
        with answering(lambda client: client.sendall(health(other.pid))) as port:
            assert not is_sibling_exporter("127.0.0.1", port)
        other.communicate("\n")
