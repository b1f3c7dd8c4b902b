"""Makes a small Debian with CPython 3.14 in `.pythons/debian-3.14`, and runs commands inside it.

    python -m tests.matrix.python314 make
    python -m tests.matrix.python314 run python3.14 --version

Needs Linux, root and apt. A command inside sees the real `.pythons/` folder at the same path as outside, and reaches
package registries the way this machine does. Mounts are made in a namespace of the command's own, so none is left.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.install import debian_mirror

PYTHONS_FOLDER = Path(__file__).resolve().parents[2] / ".pythons"
ROOT = PYTHONS_FOLDER / "debian-3.14"
LOG = ROOT.with_name(f"{ROOT.name}.log")
EXECUTABLE = "/usr/bin/python3.14"

SUITE = "sid"
PACKAGES = (
    "python3.14",
    "python3.14-venv",
    "python3.14-dev",
    "gcc",
    "g++",
    "libc6-dev",
    "make",
    "git",
    "ca-certificates",
)

NETWORK_FILES = (
    Path("/etc/resolv.conf"),
    Path("/etc/hosts"),
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pip.conf"),
    Path.home() / ".pip" / "pip.conf",
    Path.home() / ".config" / "pip" / "pip.conf",
)
"""What a machine may have of its own about reaching a registry; the certificates include those of a local proxy."""

CERTIFICATE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CONFIG_FILE")
"""Variables of the environment that name a file which has to be inside as well."""

ENTER = """
set -e
root=$1 shared=$2 folder=$3; shift 3
mkdir -p "$root$shared"
mount --bind "$shared" "$root$shared"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
exec chroot "$root" /usr/bin/env -C "$folder" "$@"
"""
"""Run by `unshare --mount`, which makes the mounts private to the command and ends them with it."""


class Python314Error(Exception):
    """CPython 3.14 cannot be installed here; the text has the reason and what to do."""


def is_made() -> bool:
    """Return whether the Debian with CPython 3.14 is there and complete."""
    return (ROOT / EXECUTABLE.lstrip("/")).exists()


def make() -> None:
    """Make `.pythons/debian-3.14` unless it is made already; raises Python314Error."""
    if is_made():
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Python314Error("making a Debian with CPython 3.14 needs root and apt; or put a python3.14 on PATH")
    mirror = debian_mirror()
    if mirror is None:
        raise Python314Error("the apt sources of this machine name no Debian mirror; put a python3.14 on PATH instead")
    PYTHONS_FOLDER.mkdir(exist_ok=True)
    if not shutil.which("debootstrap"):
        _run(["apt-get", "-q", "update"])
        _run(["apt-get", "-q", "install", "-y", "--no-install-recommends", "debootstrap"])
    unfinished = ROOT.with_name(f"{ROOT.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ["--variant=minbase", f"--include={','.join(PACKAGES)}"]
    if mirror.signed_by and mirror.signed_by.startswith("/"):
        options.append(f"--keyring={mirror.signed_by}")
    _run(["debootstrap", *options, SUITE, str(unfinished), mirror.address])
    unfinished.rename(ROOT)


def _run(command: list[str]) -> None:
    with LOG.open("wb") as log:
        done = subprocess.run(command, check=False, stdout=log, stderr=log)
    if done.returncode != 0:
        last_words = LOG.read_text(errors="replace").strip().rpartition("\n")[2]
        raise Python314Error(f"`{' '.join(command)}` failed ({last_words}); see {LOG}")


def entering(command: list[str], folder: Path = PYTHONS_FOLDER) -> list[str]:
    """Return the command that runs `command` inside, in `folder`, which must lie in `.pythons/`."""
    _copy_network_files()
    path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    arguments = [str(ROOT), str(PYTHONS_FOLDER), str(folder), path, f"HOME={Path.home()}", *command]
    return ["unshare", "--mount", "sh", "-c", ENTER, "sh", *arguments]


def _copy_network_files() -> None:
    named = [Path(os.environ[name]) for name in CERTIFICATE_VARIABLES if os.environ.get(name, "").startswith("/")]
    for path in [*NETWORK_FILES, *named]:
        if path.is_file():
            inside = ROOT / path.relative_to("/")
            inside.parent.mkdir(parents=True, exist_ok=True)
            # A link inside may point to a file outside, so it is replaced, never written through.
            inside.unlink(missing_ok=True)
            shutil.copyfile(path, inside)


def main(arguments: list[str] | None = None) -> int:
    """Carry the command line out; return the exit code of the command inside, or 1 with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix.python314", description="CPython 3.14 in a Debian")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("make", help="make .pythons/debian-3.14")
    run = verbs.add_parser("run", help="run a command inside")
    run.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if options.verb == "make":
        try:
            make()
        except Python314Error as failure:
            print(failure, file=sys.stderr)
            return 1
        return 0
    if not is_made():
        print("there is no .pythons/debian-3.14: run `python -m tests.matrix.python314 make`", file=sys.stderr)
        return 1
    return subprocess.run(entering(options.command), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
