"""The numbers at which the dashboards change colour, each with the reason to change it.

Where an alert has the same number, it is taken from the alert, so that a red panel and a firing alert agree.
"""

from __future__ import annotations

from heap_exporter.alerting.thresholds import AlertThresholds
from heap_exporter.settings import Settings

_ALERTS = AlertThresholds()
_SETTINGS = Settings()

HOUR_SECONDS = 3600.0

# Growth that the alerts begin to report, and ten times that: a service that gains 40 MiB an hour does not see the
# end of the week in an ordinary container. Raise both for services that are restarted every day anyway.
SLOPE_NOTABLE_BYTES_PER_SECOND = _ALERTS.min_slope_bytes_per_hour / HOUR_SECONDS
SLOPE_STEEP_BYTES_PER_SECOND = 10 * SLOPE_NOTABLE_BYTES_PER_SECOND

# Objects of one type that the alerts begin to report.
TYPE_GROWTH_NOTABLE_PER_SECOND = _ALERTS.min_type_growth_per_hour / HOUR_SECONDS

# Share of the memory limit. A healthy service may live at 80 %; at 90 % one big request can be its last.
# Lower both where requests are big against the limit.
LIMIT_SHARE_HIGH_RATIO = 0.8
LIMIT_SHARE_CRITICAL_RATIO = 0.9

# Time left to the limit: a day is time for a ticket, four hours is time for a page, as in the alerts.
EXHAUSTION_NEAR_SECONDS = 24 * HOUR_SECONDS
EXHAUSTION_IMMINENT_SECONDS = 4 * HOUR_SECONDS

# Share of the C library's heap that is free and not given back: half is where the fragmentation alert begins.
RETAINED_SHARE_HIGH_RATIO = 0.5

# Samples: two missed ones are noise on a busy machine, twelve are the alert about a stalled sampler.
# Raise both with HEAP_EXPORTER_INTERVAL_SECONDS.
SAMPLE_AGE_LATE_SECONDS = 3 * _ALERTS.sample_interval_seconds
SAMPLE_AGE_STALLED_SECONDS = 12 * _ALERTS.sample_interval_seconds

# A sample takes well under 100 µs; ten times that means that /proc is slow or the machine starved.
SAMPLE_SLOW_SECONDS = 0.001

# The longest that the process stands still for a census: 5 ms is what it aims at, and at 50 ms requests notice.
PAUSE_LONG_SECONDS = 0.005
PAUSE_HARMFUL_SECONDS = 0.05

# Share of one core that the exporter may use; it stretches the interval between censuses to keep to it.
OVERHEAD_HIGH_RATIO = _SETTINGS.census_cpu_percent / 100
