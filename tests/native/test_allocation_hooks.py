"""The hooks of the allocation sampler harm nothing: threads, forks, other hooks, other allocators, the collector."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.native.runs import outcome
from tests.rows import first

SUBINTERPRETERS = next((name for name in ("_interpreters", "_xxsubinterpreters") if importlib.util.find_spec(name)), "")

FORKS = ("-W", "ignore::DeprecationWarning")
"""CPython 3.12 and newer warn about a fork in a process with threads."""


@pytest.mark.parametrize(("starts", "forks"), first(1, [(12, 4), (60, 40)]))
def test_the_sampler_starts_and_stops_while_threads_allocate_and_the_process_forks(
    tmp_path: Path, starts: int, forks: int
) -> None:
    code = f"""
        import json, os, threading
        from heap_exporter.allocations import AllocationSampler

        stopping, rounds, lock = threading.Event(), threading.Semaphore(0), threading.Lock()
        kept = []

        def work(number):
            mine = []
            while not stopping.is_set():
                for _ in range(200):
                    mine.append([bytes(100 + number), {{"a": number}}, bytearray(2000)])
                    mine[-1][2].extend(bytes(5000))
                    del mine[-1][2][100:]
                    json.loads(json.dumps(list(range(50))))
                del mine[:150]
                rounds.release()
            with lock:
                kept.append(mine)

        def child():
            profile = sampler.profile()
            more = [bytes(300) for _ in range(1000)]
            is_whole = profile.samples <= sampler.profile().samples and len(more) == 1000
            sampler.stop()
            os._exit(0 if is_whole else 1)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        samples, codes = 0, []
        for number in range({starts}):
            sampler = AllocationSampler((1, 64, 4096, 131_072)[number % 4], cpu_percent=0)
            sampler.start()
            rounds.acquire()
            if number < {forks}:
                pid = os.fork()
                if pid == 0:
                    child()
                codes.append(os.waitpid(pid, 0)[1])
            profile = sampler.profile()
            samples += profile.samples
            sampler.stop()
        stopping.set()
        for thread in threads:
            thread.join()
        print(json.dumps({{"has_samples": samples > 0, "codes": codes, "threads": len(kept)}}))
    """

    printed = outcome(code, tmp_path, *FORKS)

    assert printed == {"has_samples": True, "codes": [0] * forks, "threads": 5}


ESTIMATE = """
    import json, sys, tracemalloc
    from heap_exporter.allocations import AllocationSampler
    from heap_exporter.errors import AllocationsUnavailable

    def leaked_ratio(sampler):
        kept = [bytes(1000 - sys.getsizeof(b"")) for _ in range(3000)]
        live = sum(site.live_bytes for site in sampler.profile().sites)
        return live / (3_000_000 + sys.getsizeof(kept))

    def start():
        sampler = AllocationSampler(8192, cpu_percent=0)
        sampler.start()
        return sampler
"""


@pytest.mark.parametrize(
    ("allocator", "hooks"),
    first(3, [("pymalloc", "light"), ("debug", "full"), ("malloc", "full"), ("malloc_debug", "full")]),
)
def test_the_hooks_fit_the_allocator_below(tmp_path: Path, allocator: str, hooks: str) -> None:
    code = """
    sampler = start()
    print(json.dumps({"hooks": sampler.hooks, "is_right": 0.7 < leaked_ratio(sampler) < 1.3}))
    """

    assert outcome(ESTIMATE + code, tmp_path, PYTHONMALLOC=allocator) == {"hooks": hooks, "is_right": True}


def test_tracemalloc_may_start_and_stop_around_the_hooks(tmp_path: Path) -> None:
    code = """
    found = []
    sampler = start()
    tracemalloc.start()  # its tables are memory that the same lines allocate
    found.append([sampler.hooks, 0.7 < leaked_ratio(sampler) < 1.7])
    sampler.stop()  # tracemalloc calls the hooks, so they stay and pass everything on
    found.append([sampler.hooks, tracemalloc.get_traced_memory()[0] > 0])
    sampler = start()
    found.append([sampler.hooks, 0.7 < leaked_ratio(sampler) < 1.7])
    tracemalloc.stop()
    found.append([sampler.hooks, 0.7 < leaked_ratio(sampler) < 1.7])
    sampler.stop()
    sampler = start()
    found.append([sampler.hooks, 0.7 < leaked_ratio(sampler) < 1.7])
    print(json.dumps({"found": found}))
    """

    found = outcome(ESTIMATE + code, tmp_path)["found"]

    assert found == [["light", True], ["off", True], ["light", True], ["light", True], ["light", True]]


def test_hooks_that_another_tool_replaces_are_noticed(tmp_path: Path) -> None:
    code = """
    tracemalloc.start()
    sampler = start()
    found = [[sampler.hooks, 0.7 < leaked_ratio(sampler) < 1.7]]
    tracemalloc.stop()  # restores the allocators that it has replaced, so the hooks are gone
    found.append([sampler.hooks, sampler.profile().hooks])
    sampler.stop()
    try:
        start()
    except AllocationsUnavailable as error:
        found.append([error.reason, "tracemalloc" in error.detail])
    kept = [bytes(1000) for _ in range(3000)]
    print(json.dumps({"found": found}))
    """

    found = outcome(ESTIMATE + code, tmp_path)["found"]

    assert found == [["light", True], ["displaced", "displaced"], ["refused", True]]


@pytest.mark.parametrize("count", first(1, [50_000, 500_000]))
def test_sampling_every_allocation_starts_no_collection_and_hides_no_block(tmp_path: Path, count: int) -> None:
    code = f"""
        import gc, json, sys
        from heap_exporter import _allocations

        def allocate():
            gc.collect()
            before, blocks = sum(each["collections"] for each in gc.get_stats()), sys.getallocatedblocks()
            kept = [[number] for number in range({count})]
            return sum(each["collections"] for each in gc.get_stats()) - before, sys.getallocatedblocks() - blocks

        allocate()
        without_hooks = allocate()
        _allocations.start(1, 0)
        with_hooks = allocate()
        counters = _allocations.counters()
        _allocations.stop()
        print(json.dumps({{
            "collections": with_hooks[0] - without_hooks[0],
            "has_blocks": abs(with_hooks[1] - without_hooks[1]) <= 0.001 * without_hooks[1],
            "has_samples": counters["taken"] > {count}, "dropped": counters["dropped"],
        }}))
    """

    assert outcome(code, tmp_path) == {"collections": 0, "has_blocks": True, "has_samples": True, "dropped": 0}


@pytest.mark.skipif(not SUBINTERPRETERS, reason="this Python has no module for subinterpreters")
def test_subinterpreters_allocate_while_the_main_interpreter_samples(tmp_path: Path) -> None:
    code = f"""
        import json, threading
        import {SUBINTERPRETERS} as interpreters
        from heap_exporter.allocations import AllocationSampler

        def work():
            interpreter = interpreters.create()
            interpreters.run_string(interpreter, "kept = [[bytes(100), [n]] for n in range(5000)]")
            interpreters.destroy(interpreter)

        sampler = AllocationSampler(64, cpu_percent=0)
        sampler.start()
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        kept = [[number] for number in range(5000)]
        for thread in threads:
            thread.join()
        sites = sampler.profile().sites
        sampler.stop()
        print(json.dumps({{
            "without_stack": any(not site.calls for site in sites),
            "files": len({{site.calls[0].file for site in sites if site.calls}}) > 0,
        }}))
    """

    assert outcome(code, tmp_path) == {"without_stack": True, "files": True}


@pytest.mark.parametrize("lookups", first(1, [200_000, 5_000_000]))
def test_the_cache_of_methods_keeps_no_sampled_names(tmp_path: Path, lookups: int) -> None:
    code = f"""
        import json
        from heap_exporter.allocations import AllocationSampler

        class Row:
            pass

        def look_up(row):
            for number in range({lookups}):
                getattr(row, f"column_{{number}}", None)

        sampler = AllocationSampler(cpu_percent=0)
        sampler.start()
        look_up(Row())
        live = sum(site.live_bytes for site in sampler.profile().sites if site.calls[0].function == "look_up")
        print(json.dumps({{"live": live}}))
    """

    assert outcome(code, tmp_path)["live"] <= 500_000


def test_a_thread_that_is_ignored_is_not_sampled(tmp_path: Path) -> None:
    code = """
        import json, threading
        from heap_exporter.allocations import AllocationSampler

        sampler = AllocationSampler(64, cpu_percent=0)
        sampler.start()

        def own():
            sampler.ignore_this_thread()
            kept.extend(bytes(1000) for _ in range(1000))

        kept = []
        thread = threading.Thread(target=own)
        thread.start()
        thread.join()
        print(json.dumps({"lines": [site.calls[0].line for site in sampler.profile().sites if site.calls[:1]
                                    and site.calls[0].function.startswith("own") and site.live_bytes > 10_000]}))
    """

    assert outcome(code, tmp_path) == {"lines": []}


def test_greenlets_are_sampled_with_their_own_stacks(tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    code = """
        from gevent import monkey
        monkey.patch_all()
        import gevent, json
        from heap_exporter.allocations import AllocationSampler, growth_by_line

        kept = []
        def leak(number):
            kept.append(bytes(1000))
        def serve(number):
            for step in range(100):
                leak(step)
                gevent.sleep(0)

        sampler = AllocationSampler(4096, cpu_percent=0)
        sampler.start()
        gevent.joinall([gevent.spawn(serve, number) for number in range(50)])
        largest, *_ = growth_by_line(sampler.profile())
        sampler.stop()
        print(json.dumps({"function": largest.line.function, "is_right": 0.8 < largest.bytes / 5.2e6 < 1.2}))
    """

    assert outcome(code, tmp_path) == {"function": "leak", "is_right": True}


@pytest.mark.long
def test_ten_million_live_objects_cost_one_percent_of_their_memory(tmp_path: Path) -> None:
    code = """
        import json, os
        from heap_exporter import _allocations

        def resident_bytes():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        def allocate():
            before = resident_bytes()
            kept = [bytes(27) for _ in range(10_000_000)]
            return resident_bytes() - before

        if os.environ.get("SAMPLED"):
            _allocations.start(131_072, 0)
        grown = allocate()
        table_bytes = _allocations.counters()["table_bytes"]
        print(json.dumps({"grown": grown, "table_bytes": table_bytes}))
    """

    without_hooks = outcome(code, tmp_path)
    with_hooks = outcome(code, tmp_path, SAMPLED="1")

    assert with_hooks["grown"] <= 1.01 * without_hooks["grown"]
    assert 0 < with_hooks["table_bytes"] <= 2_000_000
