"""The table of strings in the C kernels, in a C program of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.native.conftest import REPOSITORY

KERNELS = REPOSITORY / "heap_exporter" / "_kernels"

PROGRAM = """
#include "strings.h"
#include <assert.h>
#undef NDEBUG

uint64_t hash_seed = 4711;

int
main(void)
{
    Strings strings = {0};
    uint32_t number;
    for (int round = 0; round < 2; round++) {
        assert(strings_find(&strings, "a") == UINT32_MAX);
        assert(strings_add(&strings, (const uint8_t *)"a", 1, &number) == DONE && number == 0);
        assert(strings_add(&strings, (const uint8_t *)"b", 1, &number) == DONE && number == 1);
        assert(strings_find(&strings, "b") == 1);
        strings_free(&strings);
    }
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="this machine has no C compiler")
@pytest.mark.skipif(not KERNELS.exists(), reason="the package is installed, without its sources")
def test_a_table_of_strings_that_was_freed_is_empty_and_can_be_used_again(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(PROGRAM)
    compiled = tmp_path / "main"
    sources = [str(tmp_path / "main.c"), str(KERNELS / "strings.c")]
    subprocess.run(["cc", "-std=c11", f"-I{KERNELS}", "-o", str(compiled), *sources], check=True)

    assert subprocess.run([str(compiled)], check=False).returncode == 0
