"""Samples where memory is allocated: the Python side of the hooks in ``heap_exporter/_allocations``."""

from heap_exporter.allocations.allocation_growth import growth_by_line
from heap_exporter.allocations.allocation_sampler import AllocationSampler

__all__ = ["AllocationSampler", "growth_by_line"]
