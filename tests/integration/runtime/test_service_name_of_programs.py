"""The name of a service that is called by its program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("way", ["file", "module", "-c"])
def test_the_default_service_name_is_the_program_without_its_arguments(tmp_path: Path, way: str) -> None:
    code = "from heap_exporter.runtime.service_name import service_name; print(service_name(environ={}))"
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__main__.py").write_text(code)
    (tmp_path / "shop.py").write_text(code)
    words = {"file": ["shop.py"], "module": ["shop/__main__.py"], "-c": ["-c", code]}[way]

    output = subprocess.check_output([sys.executable, *words, "--password=hunter2"], cwd=tmp_path, text=True)

    assert output.strip() == {"file": "shop.py", "module": "shop", "-c": Path(sys.executable).name}[way]
