"""Begins the automatic start in each Python process that has this folder in PYTHONPATH.

For processes whose packages lack ``heap_exporter.pth``. Each Python that such a process starts reads this file, also a
Python 2.7, so it has no newer syntax. It hides no other sitecustomize, and changes nothing where heap-exporter is not
installed.
"""

import os
import sys


def begin():
    # type: () -> None
    """Begin the automatic start, where this version of Python and its packages have heap-exporter."""
    try:
        from heap_exporter.autostart import at_startup
    except ImportError:
        return
    at_startup.begin()


def import_next():
    # type: () -> None
    """Import the sitecustomize that the interpreter would have found without this folder.

    If there is none, the error passes on to the interpreter, for which there is none then.
    """
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]
    own = sys.modules.pop(__name__)  # Python 2 clears a module that nothing refers to
    __import__(__name__)
    del own


if sys.version_info >= (3, 11):
    begin()
import_next()
