"""Backends of attention, of which the memory-efficient one takes no grouped heads."""

import contextlib
import enum


class SDPBackend(enum.Enum):
    MATH, FLASH_ATTENTION, EFFICIENT_ATTENTION, CUDNN_ATTENTION = 0, 1, 2, 3


allowed = list(SDPBackend)


@contextlib.contextmanager
def sdpa_kernel(backends, set_priority=False):
    global allowed
    assert isinstance(backends, (list, SDPBackend))
    before, allowed = allowed, backends if isinstance(backends, list) else [backends]
    try:
        yield {}
    finally:
        allowed = before
