"""The limits of a real process before a snapshot."""

import resource
import subprocess
import sys

from heap_exporter.snapshot.preflight import (
    FreeResources,
)


def test_the_limits_of_the_process_are_read() -> None:
    program = """
import resource
from heap_exporter.snapshot.preflight import read_free_resources
print(read_free_resources(7, 8))
resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
free = read_free_resources(7, 8)
print((1 << 40) - (8 << 30) < free.address_bytes < 1 << 40, free.file_size_bytes == 1 << 30)
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    unlimited = resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
    first, second = output.splitlines()
    assert not unlimited or first == str(FreeResources(7, None, None, 8))
    assert second == "True True"
