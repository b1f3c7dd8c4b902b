"""Takes snapshots of the heap: limits, the check of free memory and disk, the folder, comparisons."""
