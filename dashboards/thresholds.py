"""The values at which the dashboards change colour, each with the reason to change it.

Where an alert has the same threshold, the value is that of the alert, so that a red panel and a firing alert agree.
"""

from __future__ import annotations

from heap_exporter.alerting.thresholds import AlertThresholds
from heap_exporter.settings import Settings

_ALERTS = AlertThresholds()
_SETTINGS = Settings()

HOUR_SECONDS = 3600.0
MIB = 1 << 20

# The smallest growth that raises an alert, and ten times that: at 40 MiB/h a service fills an ordinary container within
# a week. Raise both for services that restart daily anyway.
SLOPE_NOTABLE_MIB_PER_HOUR = _ALERTS.min_slope_bytes_per_hour / MIB
SLOPE_STEEP_MIB_PER_HOUR = 10 * SLOPE_NOTABLE_MIB_PER_HOUR

# The smallest growth of one type that raises an alert, in objects/h.
TYPE_GROWTH_NOTABLE_PER_HOUR = _ALERTS.min_type_growth_per_hour

# Share of the memory limit. A healthy service can run at 80 %; at 90 % one large request can exceed the limit.
# Lower both if requests are large compared with the limit.
LIMIT_SHARE_HIGH_RATIO = 0.8
LIMIT_SHARE_CRITICAL_RATIO = 0.9

# Time until the limit: within a day it is a ticket, within four hours a page, as in the alerts.
EXHAUSTION_NEAR_SECONDS = 24 * HOUR_SECONDS
EXHAUSTION_IMMINENT_SECONDS = 4 * HOUR_SECONDS

# Share of the malloc heap that is free and not returned: the fragmentation alert begins at half.
RETAINED_SHARE_HIGH_RATIO = 0.5

# Age of the last sample: two missing samples are normal on a busy machine, twelve fire the alert about a stalled
# sampler. Raise both with HEAP_EXPORTER_INTERVAL.
SAMPLE_AGE_LATE_SECONDS = 3 * _ALERTS.interval_seconds
SAMPLE_AGE_STALLED_SECONDS = 12 * _ALERTS.interval_seconds

# A sample takes less than 100 µs; at ten times that, /proc is slow or the machine has no free CPU.
SAMPLE_SLOW_SECONDS = 0.001

# Longest pause for a census: 5 ms is the target, and at 50 ms users notice.
PAUSE_LONG_SECONDS = 0.005
PAUSE_HARMFUL_SECONDS = 0.05

# Share of one core that the exporter may use; it lengthens the interval between censuses to stay below it.
OVERHEAD_HIGH_RATIO = _SETTINGS.census_cpu_percent / 100
