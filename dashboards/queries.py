"""The PromQL of the dashboards.

Each selector has `job` and `instance`, and that of a process also `service` and `worker`. No query averages over
processes: an average hides the one process of twenty that leaks.
"""

from __future__ import annotations

from heap_exporter.model import State

TARGETS = ('job=~"$job"', 'instance=~"$instance"')
SERVICES_SELECTED = (*TARGETS, 'service=~"$service"')
SELECTED = (*SERVICES_SELECTED, 'worker=~"$worker"')
BY_PROCESS = "job, instance, service, worker"
"""The labels that identify the series of a process."""

WINDOWS = ("15m", "1h", "6h")
"""The ranges over which growth is shown: now, lately, and for long."""

STATES = (State.WARMING_UP, State.STEADY, State.PLATEAUED, State.GROWING, State.SUSPECTED, State.CONFIRMED)
"""The states of the detector, from harmless to serious."""


def of(metric: str, *matchers: str) -> str:
    """Return the selector of a metric of the selected processes, with further ``matchers``."""
    return f"{metric}{{{', '.join((*SELECTED, *matchers))}}}"


def of_services(metric: str, *matchers: str) -> str:
    """Return the selector of a metric about all processes of a service together, for the selected services."""
    return f"{metric}{{{', '.join((*SERVICES_SELECTED, *matchers))}}}"


def of_targets(metric: str, *matchers: str) -> str:
    """Return the selector of a metric of Prometheus about the selected targets, which has no label of a process."""
    return f"{metric}{{{', '.join((*TARGETS, *matchers))}}}"


def in_state(state: State) -> str:
    """Return the selector of a series that is 1 for processes in ``state`` and 0 for the others."""
    return of("python_heap_leak_state", f'state="{state.value}"')


def per_second(counter: str) -> str:
    """Return the rate of a counter over the rate interval of Grafana."""
    return f"rate({of(counter)}[$__rate_interval])"


def newly(counter: str) -> str:
    """Return the increase of a counter over the rate interval of Grafana."""
    return f"increase({of(counter)}[$__rate_interval])"


def slope(window: str) -> str:
    """Return the slope, in MiB/h, of the memory that can leak: anonymous, in RAM or swapped out."""
    anonymous, swap = (f"deriv({of(metric)}[{window}])" for metric in (_ANONYMOUS_METRIC, _SWAP_METRIC))
    return mib_per_hour(f"{anonymous} + ({swap} or 0 * {anonymous})")


def mib_per_hour(bytes_per_second: str) -> str:
    """Return an expression in bytes per second converted to MiB/h."""
    return f"({bytes_per_second}) * 3600 / 1048576"


def per_hour(per_second: str) -> str:
    """Return an expression per second converted to one per hour."""
    return f"({per_second}) * 3600"


def type_slope(metric: str, window: str) -> str:
    """Return the slope of a metric by type, in its unit per second."""
    return f"deriv({of_types(metric)}[{window}])"


def of_types(metric: str) -> str:
    """Return the selector of a metric by type, for the selected types."""
    return of(metric, 'type_name=~"$type_name"')


def plain(expression: str, *labels: str) -> str:
    """Return ``expression`` without the name of the metric, so that a table can merge several of them."""
    return f"sum by ({', '.join((BY_PROCESS, *labels))}) ({expression})"


_ANONYMOUS_METRIC = "python_heap_resident_anonymous_bytes"
_SWAP_METRIC = "python_heap_swap_bytes"

# Memory of the process
RESIDENT = of("python_heap_resident_bytes")
ANONYMOUS = of(_ANONYMOUS_METRIC)
FILE = of("python_heap_resident_file_bytes")
SHMEM = of("python_heap_resident_shmem_bytes")
SWAP = of(_SWAP_METRIC)
PEAK = of("python_heap_resident_peak_bytes")
PROPORTIONAL = of("python_heap_proportional_bytes")
UNIQUE = of("python_heap_unique_bytes")
LIMIT = of("python_heap_limit_bytes")
CAN_LEAK = f"{ANONYMOUS} + ({SWAP} or 0 * {ANONYMOUS})"
LIMIT_SHARE = f"{ANONYMOUS} / ({LIMIT} > 0)"
THREADS = of("python_heap_threads")
UPTIME = f"time() - {of('python_heap_process_start_time_seconds')}"

# All processes of a service together
FLEET_PROPORTIONAL = of_services("python_heap_fleet_proportional_bytes")
FLEET_UNIQUE = of_services("python_heap_fleet_unique_bytes")
FLEET_LIMIT = f"max by (job, instance, service) ({of_services('python_heap_limit_bytes')})"
FLEET_EXHAUSTION = of_services("python_heap_fleet_time_to_exhaustion_seconds")
FLEET_LEAKING = of_services("python_heap_fleet_leaking_processes")
FLEET_TYPE_BYTES = of_services("python_heap_fleet_type_bytes", 'type_name=~"$type_name"')
FLEET_TYPE_OBJECTS = of_services("python_heap_fleet_type_objects", 'type_name=~"$type_name"')
PROCESSES = of_services("heap_exporter_processes")

# Parts of the memory
MALLOC_USED = of("python_heap_malloc_used_bytes")
MALLOC_RETAINED = of("python_heap_malloc_retained_bytes")
# Clamped because malloc counts memory that it has never touched, which is not in RSS.
OTHER_ANONYMOUS = f"clamp_min({ANONYMOUS} - {MALLOC_USED} - {MALLOC_RETAINED}, 0)"
RETAINED_SHARE = f"{MALLOC_RETAINED} / ({MALLOC_USED} + {MALLOC_RETAINED} > 0)"
BLOCKS = of("python_heap_allocated_blocks")

# The detector in the process
SUSPECTED = of("python_heap_leak_suspected")
SUSPECTED_PROCESSES = f"sum(max by ({BY_PROCESS}) ({SUSPECTED}))"
CONFIRMED_PROCESSES = f"sum({in_state(State.CONFIRMED)})"
# Rank in STATES: one line per process, while the metric has one per state.
STATE = f"max by ({BY_PROCESS}) ({' or '.join(f'{rank} * {in_state(state)}' for rank, state in enumerate(STATES))})"
# 1 where suspected, 2 where confirmed, no line of any other cause.
CAUSES = f"{SUSPECTED} + {of('python_heap_leak_confirmed')} > 0"
DETECTED_SLOPE = mib_per_hour(of("python_heap_leak_slope_bytes_per_second"))
TAIL = of("python_heap_leak_tail_ratio")
CONFIDENCE = of("python_heap_leak_confidence")
EVIDENCE = of("python_heap_leak_evidence_seconds")
TIME_TO_EXHAUSTION = of("python_heap_leak_time_to_exhaustion_seconds")
DETECTIONS = newly("python_heap_leak_detections_total")
LEAK_ALERTS = newly("python_heap_leak_alerts_total")

# How the process before this one ended
LAST_EXIT = of("heap_exporter_last_exit")
LAST_EXIT_AGE = f"time() - {of('heap_exporter_last_exit_timestamp_seconds')}"
LAST_EXIT_UPTIME = of("heap_exporter_last_exit_uptime_seconds")
LAST_EXIT_RESIDENT = of("heap_exporter_last_exit_resident_bytes")
LAST_EXIT_LIMIT = of("heap_exporter_last_exit_limit_bytes")
LAST_EXIT_SLOPE = mib_per_hour(of("heap_exporter_last_exit_slope_bytes_per_second"))

# The collector
COLLECTIONS = per_second("python_heap_gc_collections_total")
GC_PAUSE_SHARE = per_second("python_heap_gc_pause_seconds_total")
GC_OBJECTS = of("python_heap_gc_objects")
GC_PENDING = of("python_heap_gc_pending_objects")
UNCOLLECTABLE = newly("python_heap_gc_uncollectable_objects_total")
LOST_BYTES = of("python_heap_lost_bytes")
LOST_NATIVE_BYTES = of("python_heap_lost_native_bytes")
LOST_BLOCKS = of("python_heap_lost_blocks")

# The container
CGROUP_EVENTS = newly("python_heap_cgroup_events_total")

# Types of objects
_TYPE_BYTES_METRIC = "python_heap_type_bytes"
_TYPE_OBJECTS_METRIC = "python_heap_type_objects"
NAMED_TYPE_BYTES = of(_TYPE_BYTES_METRIC, 'type_name!="other"')
LARGEST_TYPES = f"topk(10, {NAMED_TYPE_BYTES})"
ALL_TYPES_BYTES = plain(of(_TYPE_BYTES_METRIC))
ALL_TYPES_OBJECTS = plain(of(_TYPE_OBJECTS_METRIC))
NAMED_TYPES_SHARE = f"{plain(NAMED_TYPE_BYTES)} / ({ALL_TYPES_BYTES} > 0)"
TYPE_BYTES = of_types(_TYPE_BYTES_METRIC)
TYPE_OBJECTS = of_types(_TYPE_OBJECTS_METRIC)
TYPE_BYTES_SLOPE = {window: mib_per_hour(type_slope(_TYPE_BYTES_METRIC, window)) for window in WINDOWS}
TYPE_OBJECTS_SLOPE = {window: per_hour(type_slope(_TYPE_OBJECTS_METRIC, window)) for window in WINDOWS}
TYPE_BYTES_GAINED = f"delta({TYPE_BYTES}[$__range])"

# The exporter
UP = of_targets("up")
NOT_REACHED = f"sum(1 - {UP})"
PROCESS_UP = of("heap_exporter_process_up")
HUB_INFO = of_targets("heap_exporter_hub_info")
PROCESS_INFO = of("python_heap_process_info")
BUILD_INFO = of("heap_exporter_build_info")
SAMPLE_AGE = f"time() - {of('heap_exporter_last_sample_timestamp_seconds')}"
SAMPLE_DURATION = of("heap_exporter_sample_duration_seconds")
SAMPLE_ERRORS = newly("heap_exporter_sample_errors_total")
CENSUS_AGE = f"time() - {of('heap_exporter_last_census_timestamp_seconds')}"
CENSUS_INTERVAL = of("heap_exporter_census_interval_seconds")
CENSUS_DURATION = of("heap_exporter_census_duration_seconds")
CENSUS_PAUSE = of("heap_exporter_census_pause_seconds")
OVERHEAD = per_second("heap_exporter_overhead_cpu_seconds_total")
WALKERS = of("heap_exporter_walker")
WALK_FAILURES = newly("heap_exporter_walk_failures_total")
SNAPSHOTS = newly("heap_exporter_snapshots_total")
SNAPSHOT_PAUSE = of("heap_exporter_snapshot_pause_seconds")
SNAPSHOT_DURATION = of("heap_exporter_snapshot_duration_seconds")
LOST_SEARCH_DURATION = of("heap_exporter_lost_search_duration_seconds")
SNAPSHOT_SIZE = of("heap_exporter_snapshot_size_bytes")
SNAPSHOT_PREDICTED = of("heap_exporter_snapshot_predicted_bytes")
PUSHES = newly("heap_exporter_pushes_total")
WEBHOOKS = newly("heap_exporter_webhooks_total")
LISTENER_CALLS = newly("heap_exporter_listener_calls_total")
UPLOADS = newly("heap_exporter_uploads_total")
ALERTS_RECEIVED = newly("heap_exporter_alerts_received_total")
SCRAPE_DURATION = of_targets("scrape_duration_seconds")
SCRAPE_SAMPLES = of_targets("scrape_samples_scraped")

# Annotations on all panels
RESTARTS = f"changes({of('python_heap_process_start_time_seconds')}[$__rate_interval]) > 0"
FIRING_ALERTS = of_targets("ALERTS", 'alertname=~"PythonHeap.*"', 'alertstate="firing"')

# Values of the menus
JOBS = "label_values(python_heap_resident_bytes, job)"
INSTANCES = 'label_values(python_heap_resident_bytes{job=~"$job"}, instance)'
SERVICES = f"label_values({of_targets('python_heap_resident_bytes')}, service)"
WORKERS = f"label_values({of_targets('python_heap_resident_bytes', SERVICES_SELECTED[2])}, worker)"
TYPE_NAMES = f"label_values({of(_TYPE_BYTES_METRIC)}, type_name)"
