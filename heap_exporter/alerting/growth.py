"""PromQL for steady growth of a series, over ranges of three lengths.

``deriv(x[15m]) > 0`` alone is true for every cache that fills, every warm-up and every step. Each function here adds
the conditions that separate steady growth over one range from these shapes. It returns an expression whose value is the
slope per second, and which is absent while there is no steady growth:

* *old enough*: every range begins after the start of the process, which is never compared with the process before it;
* *not levelling off*: the recent slope is not much smaller than the earlier one, as it is in a cache that fills;
* *straight*: for least squares over a range w, ``R = slope * w / (sqrt(12) * stddev)``; noise, steps, spikes and
  sawtooth shapes have a low R, a ramp has 1;
* *a new low*: the lowest recent value is above the highest earlier one, as it is not in a garbage collector's sawtooth.
"""

from __future__ import annotations

from heap_exporter.runtime.quantities import short_duration

PROCESS_START = "python_heap_process_start_time_seconds"

SQRT_12 = "12 ^ 0.5"
"""``sqrt`` of PromQL takes a vector, not a number."""


MIN_R = 0.9
"""Correlation of values and time from which growth counts as straight."""


def all_of(*conditions: str) -> str:
    """Return the PromQL conjunction of conditions, one per line; its value is that of the first condition."""
    return "\nand ".join(conditions)


def older_than(seconds: float, extra_label: str = "") -> str:
    """Return the PromQL condition that the process is older; ``extra_label`` is a label that its metrics lack."""
    matching = f"ignoring ({extra_label}) " if extra_label else ""
    return f"{matching}(time() - {PROCESS_START}) > {seconds:.10g}"


def steady_over_one_window(series: str, window: float, extra_label: str = "") -> str:
    """Return the PromQL of an alert rule: the slope of ``series`` over one window while 5/3 windows grow steadily.

    Absent for a cache that fills with a time constant below 3 windows: its slope falls to 0.8 = exp(-2/3 / 3) within
    the 2/3 of a window between the two slopes. Noise of a fifth of a window's growth hides it; longer ranges show it.
    """
    w, third, two_thirds, four_thirds = (short_duration(window * part / 3) for part in (3, 1, 2, 4))
    return all_of(
        f"(deriv({series}[{w}]) > 0)",
        f"deriv({series}[{w}]) > 0.8 * deriv({series}[{w}] offset {two_thirds})",
        _straight(series, window * 5 / 3),
        f"min_over_time({series}[{third}]) > max_over_time({series}[{third}] offset {two_thirds})",
        f"min_over_time({series}[{third}] offset {two_thirds}) > max_over_time({series}[{third}] offset {four_thirds})",
        older_than(window * 5 / 3, extra_label),
    )


def steady_over_four_windows(series: str, window: float, extra_label: str = "") -> str:
    """Return the PromQL of an alert rule: the slope of ``series`` over 4 windows while both halves are as steep.

    Absent for a cache that fills with a time constant below 5 windows: exp(-2 / 5) is less than 0.7.
    """
    half, whole = short_duration(window * 2), short_duration(window * 4)
    return all_of(
        f"(deriv({series}[{whole}]) > 0)",
        f"deriv({series}[{half}]) > 0.7 * deriv({series}[{half}] offset {half})",
        _straight(series, window * 4),
        older_than(window * 4, extra_label),
    )


def steady_over_24_windows(series: str, window: float) -> str:
    """Return the PromQL of an alert rule: the slope of ``series`` over 24 windows while they grow to their end."""
    w, medium, long, offset = (short_duration(window * count) for count in (1, 4, 24, 20))
    return all_of(
        f"(deriv({series}[{long}]) > 0)",
        f"deriv({series}[{w}]) > 0",
        f"deriv({series}[{medium}]) > 0.7 * deriv({series}[{long}])",
        _straight(series, window * 24),
        f"min_over_time({series}[{medium}]) > max_over_time({series}[{medium}] offset {offset})",
        older_than(window * 26),
    )


def _straight(series: str, window: float) -> str:
    w = short_duration(window)
    return f"deriv({series}[{w}]) * {window:.10g} > {MIN_R} * {SQRT_12} * stddev_over_time({series}[{w}])"
