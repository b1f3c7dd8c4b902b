"""Installs the real servers for the tests in `.servers/` of this repository.

They are Debian packages of a suite newer than most machines run, and the Prometheus and Alertmanager of Debian 12 in
`.servers/debian-12/`. All are downloaded through a private apt root and unpacked in the repository: the machine's own
package sources and packages do not change. Only `browser` is installed in the system, because a browser needs too many
libraries.

Uses the standard library only. A second run installs only what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".servers"
RECORD = FOLDER / "installed.json"

APT_SOURCES = Path("/etc/apt")


class InstallError(Exception):
    """A step of an installation failed; the text is one line with the step and the reason."""


@dataclass(frozen=True)
class Release:
    """Servers of about the same age: the Debian suites that have them, the preferred one first, and their folder."""

    suites: tuple[str, ...]
    folder: Path

    @property
    def programs_folder(self) -> Path:
        """The folder of the programs."""
        return self.folder / "usr" / "bin"


NEWEST = Release(("sid", "forky"), FOLDER)
DEBIAN_12 = Release(("bookworm",), FOLDER / "debian-12")
RELEASES = {"newest": NEWEST, "Debian 12": DEBIAN_12}
"""The servers that the tests run against, by name; those of Debian 12 are the oldest that we support."""

TEMPLATES = "/usr/share/prometheus/alertmanager"


@dataclass(frozen=True)
class Server:
    """A Debian package, the oldest version that the tests can use, and the programs wanted from it.

    `data` is the absolute path of a folder whose files the programs read at run time, if they have one.
    """

    package: str
    oldest_version: str
    programs: tuple[str, ...]
    data: str | None = None
    release: Release = NEWEST


SERVERS = {
    "prometheus": Server("prometheus", "3.5", ("prometheus",)),
    "promtool": Server("promtool", "3.5", ("promtool",)),
    "alertmanager": Server("prometheus-alertmanager", "0.33", ("alertmanager", "amtool"), TEMPLATES),
    "victoria-metrics": Server("victoria-metrics", "1.145", ("victoria-metrics",)),
    "prometheus-debian-12": Server("prometheus", "2.42", ("prometheus", "promtool"), release=DEBIAN_12),
    "alertmanager-debian-12": Server(
        "prometheus-alertmanager", "0.25", ("alertmanager", "amtool"), TEMPLATES, release=DEBIAN_12
    ),
}

PROGRAMS = {name: server.programs for name, server in SERVERS.items()} | {"browser": ("chromium", "chromedriver")}
BROWSER_PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core")
"""Without a font the browser draws every letter as an empty box."""


OTHER_NAMES = {
    "alertmanager": ("prometheus-alertmanager",),
    "victoria-metrics": ("victoria-metrics-prod",),
    "chromium": ("chromium-browser", "google-chrome"),
}
"""Other names under which Debian or their authors ship the programs."""


def find(program: str, release: Release = NEWEST) -> Path | None:
    """Return the path of `program` in the folder of `release`, else None.

    The newest may also be next to this Python or on PATH.
    """
    installed_here = _find_in(str(release.programs_folder), program)
    if installed_here or release is not NEWEST:
        return installed_here
    return _find_in(sysconfig.get_path("scripts"), program) or _find_in(None, program)


def _find_in(folders: str | None, program: str) -> Path | None:
    names = (program, *OTHER_NAMES.get(program, ()))
    return next((Path(found) for name in names if (found := shutil.which(name, path=folders))), None)


@dataclass(frozen=True)
class Mirror:
    """Where this machine gets Debian from: the address, and the signing key as an apt `Signed-By` value or None."""

    address: str
    signed_by: str | None


def debian_mirror(folder: Path = APT_SOURCES) -> Mirror | None:
    """Return the Debian mirror named by the apt sources in `folder`, or None when they name none."""
    readers = {".sources": _stanza_mirrors, ".list": _line_mirrors}
    listed = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    for path in (path for path in listed if path.is_file() and path.suffix in readers):
        for mirror in readers[path.suffix](path.read_text()):
            last_part = mirror.address.rstrip("/").rpartition("/")[2]
            if last_part.startswith("debian") and not last_part.startswith("debian-security"):
                return mirror
    return None


def _stanza_mirrors(text: str) -> Iterable[Mirror]:
    """Yield the mirrors of a deb822 file: paragraphs of `Field: value`, where indented lines continue a value."""
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", without_comments):
        pairs = re.findall(r"^(\S+?):[ \t]*(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE)
        fields = {name.lower(): value for name, value in pairs}
        usable = "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no"
        if usable and "main" in fields.get("components", "").split():
            for address in fields.get("uris", "").split():
                yield Mirror(address, fields.get("signed-by"))


def _line_mirrors(text: str) -> Iterable[Mirror]:
    """Yield the mirrors of a one-line file: `deb [options] address suite component...`."""
    line = r"^\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+\S+\s+(.*)"
    for options, address, components in re.findall(line, text, re.MULTILINE):
        if "main" in components.split():
            key = re.search(r"signed-by=(\S+)", options)
            yield Mirror(address, key.group(1) if key else None)


def _run(command: list[str], failure: str, folder: Path | None = None) -> str:
    """Run `command` and return its output. Raises InstallError with `failure` and the last lines when it fails."""
    done = subprocess.run(command, check=False, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        last_words = " / ".join(done.stdout.strip().splitlines()[-3:])
        raise InstallError(f"{failure}: {last_words or 'no output'}")
    return done.stdout


class PrivateApt:
    """An apt that reads one suite of one mirror, with its lists and cache in a folder of its own."""

    def __init__(self, folder: Path, mirror: Mirror, suite: str) -> None:
        """Create the folder and fetch the suite's package lists. Raises InstallError when that fails."""
        self._folder = folder
        for name in ("sources", "lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        source = f"Types: deb\nURIs: {mirror.address}\nSuites: {suite}\nComponents: main\n"
        if mirror.signed_by:
            source += f"Signed-By: {mirror.signed_by}\n"
        (folder / "sources" / "debian.sources").write_text(source)
        self._run("update", f"Debian {suite} at {mirror.address} can't be read")

    def unpack(self, package: str) -> tuple[str, Path]:
        """Download `package` and unpack it; return its version and the folder that holds its files."""
        self._run("download", f"the package {package} can't be downloaded", package)
        archive = next(self._folder.glob(f"{package}_*.deb"))
        root = self._folder / "unpacked" / package
        root.mkdir(parents=True)
        _run(["dpkg", "-x", str(archive), str(root)], f"the package {package} can't be unpacked")
        return _run(["dpkg-deb", "-f", str(archive), "Version"], f"{archive.name} has no version").strip(), root

    def _run(self, verb: str, failure: str, *packages: str) -> None:
        options = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self._folder / "sources",
            "Dir::State::lists": self._folder / "lists",
            "Dir::Cache": self._folder / "cache",
            # As root, apt changes to a user who may not enter this folder.
            "APT::Sandbox::User": "",
        }
        arguments = [f"-o{name}={value}" for name, value in options.items()]
        _run(["apt-get", "-q", *arguments, verb, *packages], failure, folder=self._folder)


def installed() -> dict[str, str]:
    """Return what is installed in `.servers/`: for each server its package, version and suite, as text."""
    record: dict[str, str] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return {
        name: text
        for name, text in record.items()
        if (server := SERVERS.get(name))
        and all((server.release.programs_folder / program).exists() for program in server.programs)
    }


def install_servers(names: list[str]) -> str | None:
    """Install the servers `names` (keys of SERVERS); return a sentence about those still missing, or None."""
    wanted = [name for name in names if name not in installed()]
    causes: list[str] = []
    if not wanted:
        return None
    mirror = debian_mirror()
    if mirror is None or not shutil.which("apt-get") or not shutil.which("dpkg"):
        causes.append("there is no apt with a Debian mirror here")
    else:
        FOLDER.mkdir(exist_ok=True)
        for suite in (suite for release in RELEASES.values() for suite in release.suites):
            if has_suite := [name for name in wanted if suite in SERVERS[name].release.suites]:
                with tempfile.TemporaryDirectory(prefix="apt-", dir=FOLDER) as folder:
                    _install_from(suite, Path(folder) / suite, mirror, has_suite, causes)
            wanted = [name for name in wanted if name not in installed()]
    lacking = [name for name in wanted if not all(find(program, SERVERS[name].release) for program in PROGRAMS[name])]
    return _by_hand(lacking, "; ".join(causes)) if lacking else None


def _install_from(suite: str, folder: Path, mirror: Mirror, names: list[str], causes: list[str]) -> None:
    """Install those of `names` that `suite` has; add the reasons to `causes` why it has not the others."""
    try:
        apt = PrivateApt(folder, mirror, suite)
    except InstallError as failure:
        causes.append(str(failure))
        return
    for name in names:
        try:
            version = _install(SERVERS[name], apt)
        except InstallError as failure:
            causes.append(f"{suite}: {failure}")
        else:
            text = f"{SERVERS[name].package} {version} of {suite}"
            RECORD.write_text(json.dumps({**installed(), name: text}, indent=2) + "\n")
            print(f"installed {name}: {text}")


def _install(server: Server, apt: PrivateApt) -> str:
    """Move the programs of `server` into place if they run here; return the package's version."""
    version, root = apt.unpack(server.package)
    compared = ["dpkg", "--compare-versions", version, "ge", server.oldest_version]
    _run(compared, f"{server.package} {version} is older than {server.oldest_version}")
    folder = root / "usr" / "bin"
    unpacked = {program: path for program in server.programs if (path := _find_in(str(folder), program))}
    if len(unpacked) < len(server.programs):
        raise InstallError(f"{server.package} {version} lacks one of {', '.join(server.programs)}")
    for program, path in unpacked.items():
        _run([str(path), "--version"], f"{program} {version} does not run on this machine")
    server.release.programs_folder.mkdir(parents=True, exist_ok=True)
    if server.data:
        _move_data(server.data, root, server.release.folder, list(unpacked.values()))
    for program, path in unpacked.items():
        path.replace(server.release.programs_folder / program)
    return version


def _move_data(data: str, root: Path, folder: Path, programs: list[Path]) -> None:
    """Move the folder `data` of the unpacked `root` to `folder`, and make `programs` read it there.

    Debian's Alertmanager has the absolute path of its templates built in. `usr//share` is as long as `/usr/share`
    and relative, so programs rewritten to it find their data when they run with `folder` as working folder.
    """
    kept = folder / data.lstrip("/")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(root / data.lstrip("/"), kept)
    relative = data.removeprefix("/").replace("/", "//", 1)
    for program in programs:
        program.write_bytes(program.read_bytes().replace(data.encode(), relative.encode()))


def install_browser() -> str | None:
    """Install Chromium and its driver in the system, unless both are on PATH; return a sentence on failure, or None."""
    if all(find(program) for program in PROGRAMS["browser"]):
        return None
    if not shutil.which("apt-get"):
        return _by_hand(["browser"], "there is no apt here")
    if os.geteuid() != 0:
        return _by_hand(["browser"], "apt needs root to install it")
    print("installing the browser:", *BROWSER_PACKAGES)
    try:
        _run(["apt-get", "-q", "update"], "apt-get update failed")
        _run(["apt-get", "-q", "install", "-y", "--no-install-recommends", *BROWSER_PACKAGES], "apt-get install failed")
    except InstallError as failure:
        return _by_hand(["browser"], str(failure))
    return None


def _by_hand(names: list[str], cause: str) -> str:
    places = {name: "on PATH" if name not in SERVERS else _place(SERVERS[name].release) for name in names}
    steps = [f"put {', '.join(PROGRAMS[name])} {place}" for name, place in places.items()]
    return f"not installed: {', '.join(names)} ({cause}). By hand: {'; '.join(steps)}."


def _place(release: Release) -> str:
    return "on PATH" if release is NEWEST else f"in {release.programs_folder}"


def main(arguments: list[str] | None = None) -> int:
    """Install what the command line names; return the exit code, 1 when something could not be installed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help=f"{', '.join(SERVERS)}: into .servers/ (all of them when no name is given); browser: into the system",
    )
    names = parser.parse_args(arguments).names or list(SERVERS)
    if unknown := [name for name in names if name not in PROGRAMS]:
        parser.error(f"unknown name {unknown[0]!r}; the names are {', '.join(PROGRAMS)}")
    problems = [install_servers([name for name in names if name != "browser"])]
    if "browser" in names:
        problems.append(install_browser())
    for problem in filter(None, problems):
        print(problem, file=sys.stderr)
    if any(problems):
        return 1
    versions = installed()
    for name in names:
        print(f"ready: {name} ({versions.get(name, 'on PATH')})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
