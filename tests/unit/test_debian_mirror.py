"""The machine's own apt sources say where the real servers are fetched from, in either of apt's two notations."""

from __future__ import annotations

from pathlib import Path

from tests.servers.install import Mirror, debian_mirror


def sources(folder: Path, name: str, text: str) -> Path:
    """Lay out an apt folder that holds the one sources file `name`; return the folder."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return folder


def test_the_mirror_is_read_from_a_deb822_file_past_disabled_and_security_sources(tmp_path: Path) -> None:
    folder = sources(
        tmp_path,
        "sources.list.d/debian.sources",
        "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: x\nComponents: main\n\n"
        "Types: deb\nURIs: http://apt.example/debian-security\nSuites: x-security\nComponents: main\n\n"
        "# where from\nTypes: deb deb-src\nURIs: http://apt.example/debian/\nSuites: x\nComponents: main contrib\n"
        "Signed-By: /keys/debian.gpg\n",
    )

    assert debian_mirror(folder) == Mirror("http://apt.example/debian/", "/keys/debian.gpg")


def test_a_key_written_into_a_deb822_file_is_kept_whole(tmp_path: Path) -> None:
    folder = sources(
        tmp_path,
        "sources.list.d/debian.sources",
        "Types: deb\nURIs: http://apt.example/debian\nSuites: x\nComponents: main\n"
        "Signed-By:\n -----BEGIN\n .\n AAAA\n",
    )

    assert debian_mirror(folder) == Mirror("http://apt.example/debian", "\n -----BEGIN\n .\n AAAA")


def test_the_mirror_is_read_from_one_line_sources_with_and_without_a_key(tmp_path: Path) -> None:
    with_key = "deb [arch=amd64 signed-by=/keys/debian.gpg] https://apt.example/debian bookworm main\n"
    without_key = "# deb http://old.example/debian x main\ndeb http://apt.example/debian stable contrib main\n"

    assert debian_mirror(sources(tmp_path, "sources.list", with_key)) == Mirror(
        "https://apt.example/debian", "/keys/debian.gpg"
    )
    assert debian_mirror(sources(tmp_path, "sources.list", without_key)) == Mirror("http://apt.example/debian", None)


def test_sources_of_other_systems_and_makers_are_no_debian_mirror(tmp_path: Path) -> None:
    text = "deb http://archive.example/ubuntu noble main\ndeb https://apt.example/cloud cloud-sdk main\n"

    assert debian_mirror(sources(tmp_path, "sources.list", text)) is None
