"""What a scenario leaks, as text: for a failed test, a terminal and a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence

from heap_exporter.analysis.repeated_growth import FoundLeak
from heap_exporter.analysis.results import short_name
from heap_exporter.report.finding_text import suspect_accumulation
from heap_exporter.report.verdict_text import accumulation_summary
from heap_exporter.runtime.formatting import plural, size

INDENT = "    "


def leaks_text(leaks: Sequence[FoundLeak], total_repetitions: int) -> str:
    """Return the leaks of a scenario as text: what each repetition leaves behind, where it is held, what to do.

    ``total_repetitions`` is 0 if the scenario is a block that ran once.
    """
    where = f"{plural(total_repetitions, 'repetition')} of the scenario" if total_repetitions else "the block"
    unit = "a repetition" if total_repetitions else "in the block"
    return "\n\n".join([f"{plural(len(leaks), 'leak')} in {where}", *(_leak_text(found, unit) for found in leaks)])


def _leak_text(found: FoundLeak, unit: str) -> str:
    _, *others = accumulation_summary(suspect_accumulation(found.suspect)).lines
    lines = [f"{growth_text(found)} {unit}", *others, f"Fingerprint {found.suspect.fingerprint}"]
    return "\n".join(INDENT + line.replace("`", "") for line in lines)


def growth_text(found: FoundLeak) -> str:
    """Return what one repetition of a scenario leaves behind as text: ``2 Session objects (1.2 KiB)``."""
    name, more = short_name(found.suspect.type_name), found.objects_each
    if more <= 0:
        return f"{name} objects grow by {size(found.bytes_each)}"
    return f"{_number_text(more)} {name} object{'' if more == 1 else 's'} ({size(found.bytes_each)})"


def _number_text(number: float) -> str:
    """Return a mean number of objects as text, with one decimal place where it is no whole number."""
    return f"{number:,.0f}" if number == round(number) else f"{number:,.1f}"
