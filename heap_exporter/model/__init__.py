"""The values that all packages exchange: samples, verdicts, alerts and the reading, as frozen data classes.

Times named ``*_at`` are Unix seconds, durations are seconds, sizes are bytes. ``None`` means that the source is missing
on this system or failed; the exporters then leave the value out.
"""

from heap_exporter.model.accumulations import Accumulation, CacheLimit, SettledHolder
from heap_exporter.model.alerts import Ending, EndingReason, LastExit, LeakAlert, MappingGrowth, SnapshotInfo
from heap_exporter.model.allocations import (
    AllocationGrowth,
    AllocationHooks,
    AllocationProfile,
    AllocationSite,
    CodeLine,
)
from heap_exporter.model.comparison_problems import ComparisonProblem, ComparisonProblemKind
from heap_exporter.model.detector_thresholds import DetectorThresholds
from heap_exporter.model.lost_memory import LostGroup, LostGrowth, LostKind, LostMemory
from heap_exporter.model.members import Member, Role
from heap_exporter.model.paths import LeakPattern, RetainerPath, Step, StepKind
from heap_exporter.model.reading import Counters, Reading
from heap_exporter.model.samples import (
    AllocatorMemory,
    Census,
    CollectorState,
    MemoryLimits,
    MemoryShares,
    ProcessMemory,
    Sample,
    SlowReadings,
    TypeCount,
    Walk,
    WalkerChoice,
)
from heap_exporter.model.verdicts import (
    Cause,
    Finding,
    FindingKind,
    GrowingType,
    MemoryKind,
    MemoryTrend,
    Point,
    Reason,
    ReasonKind,
    State,
    Verdict,
    top_growing_type,
)

__all__ = [
    "Accumulation",
    "AllocationGrowth",
    "AllocationHooks",
    "AllocationProfile",
    "AllocationSite",
    "AllocatorMemory",
    "CacheLimit",
    "Cause",
    "Census",
    "CodeLine",
    "CollectorState",
    "ComparisonProblem",
    "ComparisonProblemKind",
    "Counters",
    "DetectorThresholds",
    "Ending",
    "EndingReason",
    "Finding",
    "FindingKind",
    "GrowingType",
    "LastExit",
    "LeakAlert",
    "LeakPattern",
    "LostGroup",
    "LostGrowth",
    "LostKind",
    "LostMemory",
    "MappingGrowth",
    "Member",
    "MemoryKind",
    "MemoryLimits",
    "MemoryShares",
    "MemoryTrend",
    "Point",
    "ProcessMemory",
    "Reading",
    "Reason",
    "ReasonKind",
    "RetainerPath",
    "Role",
    "Sample",
    "SettledHolder",
    "SlowReadings",
    "SnapshotInfo",
    "State",
    "Step",
    "StepKind",
    "TypeCount",
    "Verdict",
    "Walk",
    "WalkerChoice",
    "top_growing_type",
]
