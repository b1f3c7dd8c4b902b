"""``python -m heap_exporter`` is the command line."""

import sys

from heap_exporter.cli import main

sys.exit(main())
