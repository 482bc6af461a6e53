"""What rich and Textual remember of words and places is let go of before a day fills it."""

from __future__ import annotations

from edgetui.tui.small_caches import LOOK_S, MOST, SmallCaches, roomy_caches
from rich.cells import cached_cell_len, cell_len
from rich.style import Style


def test_those_that_frames_fill_are_known() -> None:
    known = {cache.__wrapped__.__qualname__ for cache in roomy_caches()}
    assert {"cached_cell_len", "Region.intersection", "Region.translate", "Scalar.resolve"} <= known


def test_what_has_grown_is_emptied_when_it_is_looked_at() -> None:
    now_s = 100.0
    caches = SmallCaches(lambda: now_s)
    Style.parse("bold")
    for k in range(MOST + 1):
        cell_len(f"words of frame {k}")
    caches.tick()
    assert cached_cell_len.cache_info().currsize > MOST
    now_s += LOOK_S
    caches.tick()
    assert cached_cell_len.cache_info().currsize == 0
    assert Style.parse.cache_info().currsize > 0, "it has not grown"
