"""The environment as it was given to us: Python writes into it that a terminal with LANG=C speaks UTF-8.

Where the locale is C, Python sets LC_CTYPE to C.UTF-8 for itself and its children (PEP 538). What a terminal can show is what
whoever opened it said, so that is asked of the kernel.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path

PLAIN = ("C", "POSIX")


@functools.cache
def given_ctype() -> bool:
    """Whether LC_CTYPE was there when the program began; also where that cannot be told."""
    try:
        given = Path("/proc/self/environ").read_bytes()
    except OSError:
        return True
    return any(each.startswith(b"LC_CTYPE=") for each in given.split(b"\0"))


def told_environ() -> Mapping[str, str]:
    """The variables, without an LC_CTYPE that Python has put in beside LANG=C."""
    if os.environ.get("LANG") in PLAIN and "LC_CTYPE" in os.environ and not given_ctype():
        return {name: value for name, value in os.environ.items() if name != "LC_CTYPE"}
    return os.environ
