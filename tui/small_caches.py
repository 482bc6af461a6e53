"""What Textual and rich remember of words and places stays small on a screen that is open all day.

Each of their caches has an end, of 1024 to 16384 entries; but every frame of a chart brings new words, every size and message
new places, so that in the end all are full of what never comes again: 5 MB.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import _lru_cache_wrapper
from typing import Any

MOST = 512
"""A frame needs 300 of the largest."""
LOOK_S = 10.0
MODULES = (
    "rich.cells", "rich.color", "rich.segment", "rich.style", "textual._segment_tools", "textual._styles_cache",
    "textual.color", "textual.css.scalar", "textual.filter", "textual.geometry", "textual.strip", "textual.style",
)  # fmt: skip


def roomy_caches() -> list[_lru_cache_wrapper[Any]]:
    """Those with room for more, on functions and methods."""
    found = [cache for name in MODULES if name in sys.modules for cache in _caches_in(vars(sys.modules[name]))]
    return [cache for cache in {id(each): each for each in found}.values() if (cache.cache_parameters()["maxsize"] or 0) > MOST]


def _caches_in(names: Mapping[str, Any]) -> Iterator[_lru_cache_wrapper[Any]]:
    for value in list(names.values()):
        for each in (value, *(list(vars(value).values()) if isinstance(value, type) else ())):
            function = each.__func__ if isinstance(each, classmethod | staticmethod) else each
            if isinstance(function, _lru_cache_wrapper):
                yield function


class SmallCaches:
    """Told at each tick of the screen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._caches: list[_lru_cache_wrapper[Any]] = []
        self._next_s = clock() + LOOK_S

    def tick(self) -> None:
        """Now and then empty those that have grown."""
        now_s = self._clock()
        if now_s < self._next_s:
            return
        self._next_s = now_s + LOOK_S
        self._caches = self._caches or roomy_caches()
        for cache in self._caches:
            if cache.cache_info().currsize > MOST:
                cache.cache_clear()
