"""The estimates of the allocation sampler are unbiased, their errors are true, and the line that leaks comes first."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest

from tests.native.runs import outcome
from tests.rows import first

LEAK_MANY_TIMES = """
    import json, sys
    from heap_exporter.allocations import AllocationSampler, growth_by_line

    def leak(count, size):
        return [bytes(size - sys.getsizeof(b"")) for _ in range(count)]

    def serve(count, size):
        for number in range(count):
            json.loads(json.dumps({{"numbers": list(range(30)), "name": str(number)}}))
            if number % 10 == 0:
                bytearray(size)

    found = []
    for _ in range({runs}):
        sampler = AllocationSampler({interval}, cpu_percent=0)
        sampler.start()
        serve({churn}, {temporaries})
        kept = leak({count}, {size})
        serve({churn}, {temporaries})
        largest, *_ = growth_by_line(sampler.profile())
        found.append([largest.line.function, largest.bytes, largest.plus_minus_bytes])
        sampler.stop()
        bytes_kept = {count} * {size} + sys.getsizeof(kept)
        del kept
    print(json.dumps({{"found": found, "bytes": bytes_kept}}))
"""

STANDARD_ERRORS = 6
"""How far the mean of unbiased estimates is from the truth at most: chance exceeds it once in 500 million runs."""


@pytest.mark.parametrize(
    ("runs", "interval", "count", "size", "churn", "temporaries"),
    first(
        1,
        [
            (40, 4096, 3000, 200, 20, 10_000),
            (40, 4096, 300, 2000, 20, 10_000),
            (200, 131_072, 300_000, 200, 5000, 2000),
            (60, 131_072, 300_000, 200, 1000, 262_144),
        ],
    ),
)
def test_the_leaking_line_is_first_and_its_estimate_is_unbiased(
    tmp_path: Path, runs: int, interval: int, count: int, size: int, churn: int, temporaries: int
) -> None:
    code = LEAK_MANY_TIMES.format(
        runs=runs, interval=interval, count=count, size=size, churn=churn, temporaries=temporaries
    )

    printed = outcome(code, tmp_path, deadline_seconds=1200)

    truth, found = printed["bytes"], printed["found"]
    ratios = [estimate / truth for _, estimate, _ in found]
    spread = math.sqrt(interval / truth)
    assert {function.partition(".")[0] for function, *_ in found} == {"leak"}
    assert abs(statistics.mean(ratios) - 1) < STANDARD_ERRORS * spread / math.sqrt(runs)
    assert statistics.stdev(ratios) < (1.3 if runs >= 200 else 1.7) * spread
    assert sum(abs(estimate - truth) <= error for _, estimate, error in found) >= (0.9 if runs >= 200 else 0.75) * runs


def test_a_sampler_installed_late_names_the_line_and_its_caller(tmp_path: Path) -> None:
    code = """
        import json, threading
        from heap_exporter.allocations import AllocationSampler, growth_by_line

        sessions, served, sampling = [], threading.Event(), threading.Event()

        def create(number):
            sessions.append(json.loads(f'{{"user": "user {number}", "cart": [{number}]}}'))

        def serve():
            for number in range(20_000):
                create(number)
            served.set()
            sampling.wait()
            for number in range(20_000):
                create(number)

        service = threading.Thread(target=serve)
        service.start()
        served.wait()
        sampler = AllocationSampler(16_384, cpu_percent=0)
        sampler.start()
        sampling.set()
        service.join()
        grown = growth_by_line(sampler.profile(), limit=1)[0]
        print(json.dumps({
            "line": [grown.line.file, grown.line.function], "is_library": grown.line.is_library,
            "caller": [grown.caller.file, grown.caller.line, grown.caller.function],
        }))
    """

    printed = outcome(code, tmp_path)

    assert printed == {
        "line": ["json/decoder.py", "JSONDecoder.raw_decode"],
        "is_library": True,
        "caller": ["program.py", 8, "create"],
    }


def test_growth_counts_from_the_profile_before(tmp_path: Path) -> None:
    code = """
        import json
        from heap_exporter.allocations import AllocationSampler, growth_by_line

        kept = []
        def at_start():
            kept.append([bytes(1000) for _ in range(1000)])
        def later():
            kept.append([bytes(1000) for _ in range(1000)])

        sampler = AllocationSampler(4096, cpu_percent=0)
        sampler.start()
        at_start()
        before = sampler.profile()
        later()
        grown = growth_by_line(sampler.profile(), before)
        print(json.dumps({"functions": [each.line.function.partition(".")[0] for each in grown]}))
    """

    functions = set(outcome(code, tmp_path)["functions"])
    assert functions - {"AllocationSampler"} == {"later"}  # making the first profile allocates, too


def test_the_interval_grows_while_samples_take_too_much_time_and_the_estimate_stays_unbiased(tmp_path: Path) -> None:
    code = """
        import json
        from heap_exporter.allocations import AllocationSampler

        sampler = AllocationSampler(1, cpu_percent=0.5)
        sampler.start()
        rounds, interval = 0, 1
        while interval < 8:
            for _ in range(10_000):
                bytearray(1000)
            rounds += 1
            interval = sampler.profile().interval_bytes
        profile = sampler.profile()
        sites = [site for site in profile.sites if site.calls[:1] and site.calls[0].line == 10]
        allocated = sum(site.allocated_objects for site in sites)
        print(json.dumps({"ratio": allocated / (2 * 10_000 * rounds)}))
    """

    assert 0.9 < outcome(code, tmp_path)["ratio"] < 1.1
