"""Ctrl+C that Python would lose: one that arrives in a callback of the garbage, as imports have many, is only reported, and
what is compiled may clear an error that is not its own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_S = 0.01


def keep_interrupts() -> None:
    """From here on an interrupt that was lost comes again a moment later, to whoever handles SIGINT then."""
    reported = sys.unraisablehook

    def hook(lost: UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        else:
            reported(lost)

    signal.signal(signal.SIGALRM, _again)
    sys.unraisablehook = hook


@contextmanager
def interrupts_held() -> Iterator[None]:
    """An interrupt that comes meanwhile, as imports go on, comes at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _again(number: int, frame: FrameType | None) -> None:
    del number, frame
    os.kill(os.getpid(), signal.SIGINT)
