"""One sample without a sampler: for `monitor --once` and the doctor."""

from __future__ import annotations

import time

from ..system.patience import patiently
from ..system.root_files import Files
from .sample import Sample
from .source_choice import AUTO, Choice, choose
from .sources.source import SourceRefused

_BETWEEN_S = 0.25
"""Loads are differences of two readings."""
_LONGEST_S = 3.0


def once(source: str = AUTO, files: Files | None = None) -> tuple[Sample, Choice]:
    """Read all sensors, after a first reading for what is a difference; takes a third of a second, three at most, and half a
    second more for each sensor that hangs.

    The source is closed when this returns.

    Raises:
        UsageError: there is no such source.
        SourceRefused: it cannot be used here, or says nothing within three seconds.
    """
    files = files or Files()
    return patiently(lambda: _read(choose(source, files, 4.0)))


def _read(choice: Choice) -> tuple[Sample, Choice]:
    try:
        end_s = time.monotonic() + _LONGEST_S
        choice.source.read(time.monotonic())
        time.sleep(_BETWEEN_S)
        choice.source.settle(_LONGEST_S - _BETWEEN_S)
        while True:  # at least once: what is answered late may have taken all the time
            sample = choice.source.read(time.monotonic())
            if sample is not None:
                return sample, choice
            if time.monotonic() > end_s:
                break
            time.sleep(0.02)
    finally:
        choice.source.close()
    raise SourceRefused(f"the source {choice.source.name} said nothing within {_LONGEST_S:g} s")
