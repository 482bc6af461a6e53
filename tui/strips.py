"""Pieces of rows that make their caches when they need them.

Textual gives each piece seven caches, of which most use one or two: 1.1 kB and 1.8 us a piece, where 0.2 kB and 0.3 us do.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from textual.cache import FIFOCache
from textual.strip import Strip

CACHES = {
    "_divide_cache": 4,
    "_crop_cache": 16,
    "_style_cache": 16,
    "_filter_cache": 4,
    "_line_length_cache": 4,
    "_crop_extend_cache": 4,
    "_offsets_cache": 4,
}
"""How many entries each holds."""


def _init(self: Strip, segments: Iterable[Segment], cell_length: int | None = None) -> None:
    self._segments = list(segments)
    self._cell_length = cell_length
    self._render_cache = self._link_ids = self._cell_count = None


def _missing(self: Strip, name: str) -> FIFOCache[object, object]:
    """What has not been set yet; Python asks for nothing else."""
    most = CACHES.get(name)
    if most is None:
        raise AttributeError(name)
    made: FIFOCache[object, object] = FIFOCache(most)
    setattr(self, name, made)
    return made


def make_caches_late() -> None:
    """For every piece that is made from now on."""
    Strip.__init__ = _init  # type: ignore[method-assign]
    Strip.__getattr__ = _missing  # type: ignore[attr-defined]
