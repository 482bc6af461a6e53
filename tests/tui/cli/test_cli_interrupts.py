"""Ctrl+C ends a command wherever it arrives."""

from __future__ import annotations

import subprocess
import sys

LOST = """
import time, weakref
from edgetui.tui.interrupts import keep_interrupts
class Thing: pass
def callback(ref):
    raise KeyboardInterrupt
{kept}
thing = Thing()
watched = weakref.ref(thing, callback)
try:
    del thing
    time.sleep(1)
    print("went on")
except KeyboardInterrupt:
    print("ended")
"""


def said(kept: str) -> str:
    return subprocess.run([sys.executable, "-c", LOST.format(kept=kept)], capture_output=True, text=True, check=True).stdout


def test_an_interrupt_in_a_callback_of_the_garbage_is_not_lost():
    assert said("keep_interrupts()") == "ended\n"


def test_python_itself_loses_it():
    assert said("") == "went on\n"
