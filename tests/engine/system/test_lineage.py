"""Nothing that works for another process outlives it, whenever that one ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PARENT = """
import os, signal, subprocess, sys
kept = int(sys.argv[1])
subprocess.Popen([sys.executable, "-c", sys.argv[2], str(kept), str(os.getpid())], stdout=subprocess.PIPE, pass_fds=[kept])
if sys.argv[3] == "later":
    sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""
CHILD = """
import os, sys, time
from edgetui.engine.system.parent_death import die_with_parent
while {first} and os.getppid() == int(sys.argv[2]):
    time.sleep(0.001)
die_with_parent()
os.write(int(sys.argv[1]), b"working")
time.sleep({works_s})
"""


def told(when: str, works_s: float) -> tuple[subprocess.Popen[bytes], int]:
    """A parent that is killed, and what its child writes: it ends with the child."""
    read, write = os.pipe()
    child = CHILD.format(first=when == "first", works_s=works_s)
    words = [sys.executable, "-c", PARENT, str(write), child, when]
    parent = subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=[write])
    os.close(write)
    return parent, read


@pytest.mark.parametrize("working", [False, True])
def test_a_process_ends_with_the_one_that_started_it(working: bool) -> None:
    parent, read = told("later" if working else "first", works_s=600 if working else 0)
    with parent, open(read, "rb", buffering=0) as pipe:
        if working:
            assert pipe.read(7) == b"working"
        parent.stdin.close()  # type: ignore[union-attr]
        assert pipe.read() == b""
