"""Streams, events and graphs of the stand-in: a replay takes a little more time each time it was captured longer."""

import contextlib
import time

capturing = None


class Stream:
    def wait_stream(self, stream):
        assert isinstance(stream, Stream)


class Event:
    def __init__(self, enable_timing=False, blocking=False, interprocess=False):
        self.timing, self.at = enable_timing, None

    def record(self, stream=None):
        self.at = time.perf_counter()

    def synchronize(self):
        assert capturing is None, "operation not permitted when stream is capturing"

    def elapsed_time(self, end_event):
        assert self.timing and end_event.timing and self.at and end_event.at
        return (end_event.at - self.at) * 1e3


class CUDAGraph:
    def __init__(self, keep_graph=False):
        self.captured = False

    def replay(self):
        assert self.captured, "Called CUDAGraph::replay without a preceding successful capture."
        time.sleep(0.002)


@contextlib.contextmanager
def graph(cuda_graph, pool=None, stream=None, capture_error_mode="global"):
    global capturing
    assert capturing is None and isinstance(cuda_graph, CUDAGraph)
    capturing = cuda_graph
    try:
        yield
    finally:
        capturing = None
    cuda_graph.captured = True


@contextlib.contextmanager
def stream(stream):
    yield


def current_stream(device=None):
    return Stream()


def synchronize(device=None):
    assert capturing is None, "operation not permitted when stream is capturing"


def is_available():
    return True


def empty_cache():
    pass


def get_device_name(device=None):
    return "stand-in of PyTorch"
