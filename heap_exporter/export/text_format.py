"""The text formats of ``/metrics``: that of Prometheus and OpenMetrics 1.0, and which of them a client accepts.

They are byte for byte those of client_python, which is not imported: see :mod:`heap_exporter.export.standard_metrics`.
No name of a metric or label of this package has a character that a client would need escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heap_exporter.export.families import Family

OPENMETRICS_END = b"# EOF\n"

_TEXT, _OPENMETRICS = "text/plain", "application/openmetrics-text"
_SUPPORTED_ESCAPING = ("allow-utf-8", "underscores", "values")
"""Schemes of names that leave names of letters, digits and underscores as they are."""


class TextFormat(NamedTuple):
    """One of the two formats, with the content type of an answer."""

    is_openmetrics: bool
    content_type: str


def choose_format(accept: str) -> TextFormat:
    """Return the first format in an ``Accept`` header that is supported; the oldest one if there is none."""
    for accepted in accept.split(","):
        media_type, *rest = accepted.split(";")
        parameters = dict(_parameters(rest))
        version = parameters.get("version", "")
        escaping = parameters.get("escaping", "")
        suffix = f"escaping={escaping if escaping in _SUPPORTED_ESCAPING else 'underscores'}"
        if media_type.strip() == _OPENMETRICS and not version:
            return TextFormat(True, f"{_OPENMETRICS}; version=1.0.0; charset=utf-8")
        if media_type.strip() in (_TEXT, _OPENMETRICS) and _is_from_version_1(version):
            return TextFormat(
                media_type.strip() == _OPENMETRICS, f"{media_type.strip()}; version=1.0.0; charset=utf-8; {suffix}"
            )
    return TextFormat(False, f"{_TEXT}; version=0.0.4; charset=utf-8")


def encode(families: Iterable[Family], *, is_openmetrics: bool) -> bytes:
    """Return metrics as text; after the last one of a page, OpenMetrics needs :data:`OPENMETRICS_END`."""
    parts = (f"{heading(family, is_openmetrics=is_openmetrics)}{sample_lines(family)}" for family in families)
    return "".join(parts).encode("utf-8", "replace")


def heading(family: Family, *, is_openmetrics: bool) -> str:
    """Return the lines before the samples of a metric: its help and its type."""
    name = family.name.removesuffix("_total") if is_openmetrics and family.is_counter else family.name
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    return (
        f"# HELP {name} {_quoted(family.help) if is_openmetrics else text}\n"
        f"# TYPE {name} {'counter' if family.is_counter else 'gauge'}\n"
    )


def sample_lines(family: Family) -> str:
    """Return the lines of the samples of a metric, which are the same in both formats."""
    order = sorted(range(len(family.labels)), key=family.labels.__getitem__)
    names = [(index, f'{family.labels[index]}="') for index in order]
    lines = []
    for values, number in family.points:
        labels = ",".join([f'{name}{_quoted(values[index])}"' for index, name in names])
        lines.append(f"{family.name}{f'{{{labels}}}' if labels else ''} {_number(number)}\n")
    return "".join(lines)


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(number: float) -> str:
    """Return a number as Go writes it, which uses exponents from a million on."""
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    if math.isnan(number):
        return "NaN"
    text = repr(float(number))
    whole, point, fraction = text.partition(".")
    if number < 0 or not point or len(whole) <= 6:
        return text
    return f"{whole[0]}.{whole[1:]}{fraction}".rstrip("0.") + f"e+{len(whole) - 1:02d}"


def _parameters(parts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a media type, the last first: the first of a name counts."""
    for part in reversed([*parts]):
        name, equals, value = part.strip().partition("=")
        if equals:
            yield name, value


def _is_from_version_1(version: str) -> bool:
    major = version.partition(".")[0]
    return major.isdecimal() and int(major[:9]) >= 1
