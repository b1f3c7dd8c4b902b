"""Recognises, by its command, a Python process that is no service: a tool of packaging, a helper of multiprocessing."""

TOOLS = frozenset(
    (
        "pip", "__pip-runner__.py", "setup.py", "ensurepip", "venv", "virtualenv", "compileall",
        "build", "poetry", "pipx", "heap-exporter", "heap_exporter",
    )
)  # fmt: skip  # one reading
"""Modules and scripts of packaging, and the commands of this package."""

_BUILDS = "/pyproject_hooks/"
"""A folder in the path of the script in which pip and others build a package."""

_VERSION = "0123456789."
"""Characters at the end of a name such as ``pip3.11``."""

_HELPER = "from multiprocessing."
"""Each helper of multiprocessing is started with ``-c`` and a program that begins so; so are spawned children."""


def is_service(command: list[str]) -> bool:
    """Return whether the exporter may start in the process of a command, which is that of ``sys.orig_argv``."""
    program = _program(command)
    if program.startswith(_HELPER):
        return program.startswith(f"{_HELPER}spawn ")
    name = program.rpartition("/")[2].rstrip(_VERSION)
    return name not in TOOLS and _BUILDS not in program and not is_uwsgi(command)


def is_helper_that_forks(command: list[str]) -> bool:
    """Return whether the process of a command is no service, but forks processes that may be."""
    return is_uwsgi(command) or _program(command).startswith(f"{_HELPER}forkserver ")


def is_uwsgi(command: list[str]) -> bool:
    """Return whether a command is uWSGI: its first process must have no thread of Python before it forks."""
    return not command or not command[0] or command[0].rpartition("/")[2] == "uwsgi"


def _program(command: list[str]) -> str:
    """Return the script, the module or the text of the program that an interpreter's command runs, "" if none."""
    words = iter(command[1:])
    for word in words:
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                next(words, "")
        elif not word.startswith("-") or word == "-":
            return word
        else:
            for place, letter in enumerate(word[1:], 2):
                if letter in "cm":
                    return word[place:] or next(words, "")
                if letter in "WX":
                    if not word[place:]:
                        next(words, "")
                    break
    return ""
