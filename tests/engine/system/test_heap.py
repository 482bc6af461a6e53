"""Memory that lies free inside the heap of the C library goes back to the kernel when that is asked."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

HOLES = """
import ctypes
import resource
from pathlib import Path
from edgetui.engine.system.heap import give_back_freed

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

c = ctypes.CDLL(None)
c.malloc.restype, c.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
c.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
blocks = [c.malloc(100_000) for _ in range(600)]
for block in blocks:
    c.memset(block, 1, 100_000)
for block in blocks[:-1]:
    c.free(block)
before = resident_mb()
give_back_freed()
print(before - resident_mb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or ctypes.sizeof(ctypes.c_void_p) != 8, reason="this is glibc's heap")
def test_holes_below_what_is_held_are_given_back() -> None:
    """60 MB that stay with the process as long as one block behind them is in use."""
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 50
