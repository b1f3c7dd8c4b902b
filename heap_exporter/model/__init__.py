"""The values that travel from the probes to everything that tells: frozen, plain, without behaviour of their own.

Times named ``*_at`` are Unix seconds, durations are seconds, sizes are bytes. ``None`` means that the source
is missing here or failed, and whoever tells leaves the figure out.
"""

from heap_exporter.model.alerts import Accumulation, Ending, LastExit, LeakAlert, MappingGrowth, SnapshotInfo
from heap_exporter.model.reading import Reading, Tally
from heap_exporter.model.samples import (
    Census,
    Collector,
    Detail,
    Limits,
    Malloc,
    ProcessMemory,
    Sample,
    Shares,
    TypeCount,
    Walk,
    WalkerChoice,
)
from heap_exporter.model.verdicts import Cause, Finding, Grower, Kind, Point, State, Trend, Verdict

__all__ = [
    "Accumulation",
    "Cause",
    "Census",
    "Collector",
    "Detail",
    "Ending",
    "Finding",
    "Grower",
    "Kind",
    "LastExit",
    "LeakAlert",
    "Limits",
    "Malloc",
    "MappingGrowth",
    "Point",
    "ProcessMemory",
    "Reading",
    "Sample",
    "Shares",
    "SnapshotInfo",
    "State",
    "Tally",
    "Trend",
    "TypeCount",
    "Verdict",
    "Walk",
    "WalkerChoice",
]
