"""Types made ready for msgspec, one at a time.

msgspec (0.22) learns a type at its first use, which runs Python: another thread that uses the type meanwhile finds half of it
and ends the process with SIGSEGV. A screen asks in several threads from its first moment on.
"""

from __future__ import annotations

import threading
from typing import TypeVar

import msgspec

K = TypeVar("K")

_known: set[object] = set()
_one_at_a_time = threading.RLock()


def ready(kind: K) -> K:
    """`kind` itself, which any number of threads may decode and convert to from now on."""
    if kind not in _known:
        with _one_at_a_time:
            if kind not in _known:
                msgspec.json.Decoder(kind)
                _known.add(kind)
    return kind
