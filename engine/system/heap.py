"""What the C library does with memory that is freed."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_MMAP_THRESHOLD = -3  # malloc.h of glibc
_M_ARENA_MAX = -8
_LARGE_BYTES = 1 << 18


def give_back_large_blocks() -> None:
    """From now on blocks of 256 KiB and more go back to the kernel as soon as they are freed.

    glibc keeps such blocks for the next one as soon as one was freed (mallopt(3), M_MMAP_THRESHOLD), and between weights and
    activations of all sizes they leave holes: a calibration of ResNet-50 (102 MB) takes 415 MB with them and 305 without. Not
    for a process that is timed: the kernel clears each new block. Another C library stays as it is.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def share_one_heap() -> None:
    """From now on threads take memory from the heap that is there.

    glibc gives threads heaps of their own (mallopt(3), M_ARENA_MAX), so that none waits for another's lock; Python's wait for
    each other anyway. What one thread took and another freed leaves holes in each: after 15 000 keys at random 25 MB of 58 in
    eight heaps were free, and of one 3. Another C library stays as it is.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back_freed() -> None:
    """Let the kernel have what lies free inside the heap (malloc_trim(3)).

    Between the weights of a loaded plan lies what loading it took besides, and no plan after it fits into those holes: two
    plans of ResNet-50 (102 MB), loaded anew meanwhile, took 400 MB. Between loading and warming up, never while something is
    timed: what is taken again is cleared first. Another C library keeps what it has.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
