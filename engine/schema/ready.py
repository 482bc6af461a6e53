"""Types made ready for msgspec, one at a time.

msgspec (0.22) learns a type at its first use, which runs Python: another thread that uses the type meanwhile finds half of it
and ends the process with SIGSEGV. A screen asks in several threads from its first moment on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Generic, TypeVar

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


class LateDecoder(Generic[K]):
    """Reads JSON of a type that is learnt at the first use: 11 ms of a screen's start, for what no first paint shows."""

    def __init__(self, kind: object) -> None:
        self._kind = kind

    @cached_property
    def decode(self) -> Callable[[bytes | memoryview], K]:
        """The function that reads.

        Raises (when it is called):
            msgspec.DecodeError: the bytes are no such document.
        """
        return msgspec.json.Decoder(ready(self._kind)).decode
