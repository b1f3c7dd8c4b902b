"""Names the boot of the machine: two clocks that count from boot can be compared only within one boot."""

from __future__ import annotations

from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def read_boot_id() -> str:
    """Return the kernel's random id of this boot (random(4)), ``""`` where there is none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
