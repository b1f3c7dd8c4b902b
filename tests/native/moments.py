"""Moments at which a program walks itself, and the expected result."""

KEPT = """
    import atexit, ctypes, gc, json, os, signal, sys, threading, time, weakref
    from pathlib import Path
    from tests.native.clones import begin, children, descriptors, end, graph, hanging, walker

    class Kept:
        def __init__(self, number):
            self.number = number
            self.text = f"text {number}"

    kept = [Kept(number) for number in range(5000)]
    kept_bytes = sum(map(sys.getsizeof, kept))

    def counted(native=None):
        # Return whether a census by a clone and one in this process find the kept objects, and a graph can be written
        # without heap-exporter's own objects.
        native = native or walker()
        census = native.census()
        found = {(row.objects, row.bytes) for row in census.types if row.type_name.endswith(".Kept")}
        in_process = end(begin(in_process=True))
        rows = {(objects, size) for name, objects, size in in_process["rows"] if name.endswith(".Kept")}
        written = graph(native, "a.heap").objects
        return (found == rows == {(5000, kept_bytes)} and in_process["is_complete"]
                and abs(written - in_process["objects"]) < 5000)
"""
"""The first part of each program."""

MOMENTS = {
    "a callback of the collector": """
    def callback(phase, info):
        gc.callbacks.remove(callback) if phase == "stop" else None
        found.append(counted(native))
    gc.callbacks.append(callback)
    gc.collect()
    """,
    "a finalizer": """
    class Ending:
        def __del__(self):
            found.append(counted(native))
    def drop():
        ending = Ending()
        ending.itself = ending
    drop()
    gc.collect()
    found.append(True)
    """,
    "a finalizer of a young object while another thread walks": """
    class Ending:
        def __del__(self):
            thread = threading.Thread(target=lambda: found.append(counted(native)))
            thread.start()
            thread.join()
    def drop():
        ending = Ending()
        ending.itself = ending
    gc.disable()
    drop()
    gc.collect(0)
    gc.collect()
    gc.enable()
    found.append(True)
    """,
    "a callback of a weak reference": """
    class Gone: pass
    def drop():
        gone = Gone()
        gone.itself = gone
        return weakref.ref(gone, lambda reference: found.append(counted(native)))
    reference = drop()
    gc.collect()
    found.append(True)
    """,
    "a trace function": """
    calls = []
    def trace(frame, event, argument):
        calls.append(event)
        return trace
    threading.settrace(trace)
    sys.settrace(trace)
    found.append(counted(native))
    sys.settrace(None)
    thread = threading.Thread(target=lambda: found.append(counted(native)))
    thread.start()
    thread.join()
    threading.settrace(None)
    found.append(len(calls) > 100)
    """,
    "a profile function": """
    calls = []
    sys.setprofile(lambda frame, event, argument: calls.append(event))
    found += [counted(native), counted(native)]
    sys.setprofile(None)
    """,
    "tracemalloc and faulthandler": """
    import faulthandler, tracemalloc
    faulthandler.enable()
    tracemalloc.start(25)
    kept[:] = [Kept(number) for number in range(5000)]
    found += [counted(native), counted(native)]
    """,
    "a frozen heap": """
    gc.freeze()
    found += [counted(native), counted(native)]
    gc.unfreeze()
    """,
    "a heap without collections": """
    gc.disable()
    found += [counted(native), counted(native)]
    """,
    "a storm of signals": """
    heard = []
    signal.signal(signal.SIGALRM, lambda number, frame: heard.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    while len(found) < 10 or len(heard) < 50:
        found.append(counted(native))
    found.append(signal.setitimer(signal.ITIMER_REAL, 0)[1] == 0.001)  # the timer still runs
    """,
    "a thread with a small stack": """
    before = threading.stack_size(64 << 10)
    thread = threading.Thread(target=lambda: found.append(counted(native)))
    thread.start()
    thread.join()
    found.append(True)
    """,
    "a deep heap": """
    deep = []
    for _ in range(1_000_000):
        deep = [deep]
    found += [counted(native), counted(native)]
    while deep:
        deep = deep.pop()
    """,
    "a forked child": """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, b"y" if counted(native) and counted() and children() == [] else b"n")
        os._exit(0)
    os.waitpid(pid, 0)
    found += [os.read(reader, 1) == b"y", counted(native)]
    os.close(reader)
    os.close(writer)
    """,
    "a coroutine": """
    import asyncio
    async def walk():
        return counted(native)
    found += [asyncio.run(walk()), asyncio.run(walk())]
    """,
}
"""Moment → the code that causes it; it appends to `found` whether the walk's result is correct."""
