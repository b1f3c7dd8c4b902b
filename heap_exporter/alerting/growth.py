"""PromQL for "this series grows steadily", over three lengths of evidence.

``deriv(x[15m]) > 0`` alone is true for every cache that fills, every warm-up and every step. Each function here adds
the guards that make growth over one length of evidence believable, and returns an expression whose value is the slope
per second and which is absent while there is no steady growth:

* *old enough*: every range lies within the life of the process, which is never compared with its predecessor;
* *not levelling off*: the recent slope keeps up with the earlier one, which a filling cache's does not;
* *straight*: for least squares over a range w, ``R = slope * w / (sqrt(12) * stddev)``; noise, steps, spikes and
  sawteeth have a low R, a ramp has 1;
* *a new floor*: the lowest recent value is above the highest earlier one, which garbage collection's sawtooth is not.
"""

from __future__ import annotations

from heap_exporter.alerting.quantities import promql_duration

PROCESS_START = "python_heap_process_start_time_seconds"

SQRT_12 = "12 ^ 0.5"
"""PromQL's ``sqrt`` takes no number."""


MIN_R = 0.9
"""Correlation of values and time from which growth counts as straight."""


def all_of(*conditions: str) -> str:
    """Return the conjunction, one condition a line; its value is the first condition's."""
    return "\nand ".join(conditions)


def older_than(seconds: float, beside: str = "") -> str:
    """Return "the process is older", to be put behind ``and``; ``beside`` names a label that a process doesn't have."""
    matching = f"ignoring ({beside}) " if beside else ""
    return f"{matching}(time() - {PROCESS_START}) > {seconds:.10g}"


def steady_over_one_window(series: str, window: float, beside: str = "") -> str:
    """Return the slope of ``series`` per second over ``window`` seconds while 5/3 windows show steady growth.

    Silent on a cache that fills with a time constant below 3 windows: its slope falls to 0.8 = exp(-2/3 / 3) in the 2/3
    of a window that is looked back. Noise of a fifth of a window's growth blinds it; longer evidence sees through that.
    """
    w, third, two_thirds, four_thirds = (promql_duration(window * part / 3) for part in (3, 1, 2, 4))
    return all_of(
        f"(deriv({series}[{w}]) > 0)",
        f"deriv({series}[{w}]) > 0.8 * deriv({series}[{w}] offset {two_thirds})",
        _straight(series, window * 5 / 3),
        f"min_over_time({series}[{third}]) > max_over_time({series}[{third}] offset {two_thirds})",
        f"min_over_time({series}[{third}] offset {two_thirds}) > max_over_time({series}[{third}] offset {four_thirds})",
        older_than(window * 5 / 3, beside),
    )


def steady_over_four_windows(series: str, window: float, beside: str = "") -> str:
    """Return the slope of ``series`` per second over 4 windows while its later half keeps up with the earlier one.

    Silent on a cache that fills with a time constant below 5 windows: exp(-2 / 5) is less than 0.7.
    """
    half, whole = promql_duration(window * 2), promql_duration(window * 4)
    return all_of(
        f"(deriv({series}[{whole}]) > 0)",
        f"deriv({series}[{half}]) > 0.7 * deriv({series}[{half}] offset {half})",
        _straight(series, window * 4),
        older_than(window * 4, beside),
    )


def steady_over_24_windows(series: str, window: float) -> str:
    """Return the slope of ``series`` per second over 24 windows while they show steady growth that still goes on."""
    w, medium, long, offset = (promql_duration(window * count) for count in (1, 4, 24, 20))
    return all_of(
        f"(deriv({series}[{long}]) > 0)",
        f"deriv({series}[{w}]) > 0",
        f"deriv({series}[{medium}]) > 0.7 * deriv({series}[{long}])",
        _straight(series, window * 24),
        f"min_over_time({series}[{medium}]) > max_over_time({series}[{medium}] offset {offset})",
        older_than(window * 26),
    )


def _straight(series: str, window: float) -> str:
    w = promql_duration(window)
    return f"deriv({series}[{w}]) * {window:.10g} > {MIN_R} * {SQRT_12} * stddev_over_time({series}[{w}])"
