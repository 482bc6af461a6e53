"""What has changed goes to the terminal, and no more is drawn for it.

Textual puts a box round all that has changed and has every widget in the box give all its rows: with a clock in one corner and
a chart in the other, the whole screen, for each frame. Here a widget is asked for those of its rows in which something has
changed that nothing before it covers; and of a row the changed part is written, where Textual writes from the widget's edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import cast

import textual.screen
from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip

Span = tuple[int, int]
"""First column, and the one behind the last."""


class NarrowUpdate(ChopsUpdate):
    """Parts of rows, as the terminal is told them."""

    def render_segments(self, console: Console) -> str:
        """Places and letters."""
        told: list[str] = []
        for y, first, behind in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= behind or end <= first:
                    continue
                begin = max(first, x)
                part = strip if first <= x and end <= behind else strip.crop(begin - x, min(end, behind) - x)
                told.append(f"\x1b[{y + 1};{begin + 1}H{part.render(console)}")
        return "".join(told)


class NarrowCompositor(Compositor):
    """Textual's, but for what it has drawn."""

    def render_partial_update(self) -> NarrowUpdate | None:
        """What has changed since the last frame; None: nothing."""
        regions = [region.intersection(self.size.region) for region in self._dirty_regions]
        self._dirty_regions.clear()
        spans = list(self._regions_to_spans(region for region in regions if region))
        if not spans:
            return None
        wanted: dict[int, list[Span]] = {}
        for y, first, behind in spans:
            wanted.setdefault(y, []).append((first, behind))
        return NarrowUpdate(self._drawn(wanted), spans, [cuts[1:] for cuts in self.cuts])

    def _render_chops(self, crop: Region, is_rendered_line: Callable[[int], bool]) -> Sequence[Mapping[int, Strip]]:
        columns = [crop.column_span]
        drawn = self._drawn({y: columns for y in crop.line_range if is_rendered_line(y)})
        return cast("Sequence[Mapping[int, Strip]]", drawn)

    def _drawn(self, wanted: Mapping[int, Iterable[Span]]) -> list[dict[int, Strip | None]]:
        """Of each row the pieces between `cuts`, by where they begin; those that are wanted are there, others may be None.

        Widgets come front to back: whoever is first has the piece.
        """
        cuts = self.cuts
        pieces: list[dict[int, Strip | None]] = [{}] * len(cuts)
        missing: dict[int, set[int]] = {}
        for y, spans in wanted.items():
            row = cuts[y] if y < len(cuts) else []
            pieces[y] = dict.fromkeys(row[:-1])
            missing[y] = {cut for cut, end in pairwise(row) if any(cut < behind and end > first for first, behind in spans)}
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            first, behind = seen.column_span
            rows = [
                y
                for y, open_cuts in missing.items()
                if seen.y <= y < seen.bottom and any(first <= cut < behind for cut in open_cuts)
            ]
            if not rows:
                continue
            top, bottom = min(rows), max(rows) + 1
            strips = widget.render_lines(Region(seen.x - region.x, top - region.y, seen.width, bottom - top))
            for y in rows:
                ends = [cut for cut in cuts[y] if first <= cut <= behind]
                parts = strips[y - top].divide([cut - first for cut in ends[1:]])
                for cut, part in zip(ends, parts, strict=False):
                    if pieces[y][cut] is None:
                        pieces[y][cut] = part
                missing[y].difference_update(ends[:-1])
                if not missing[y]:
                    del missing[y]
            if not missing:
                break
        return pieces


def draw_narrowly() -> None:
    """Have every screen that is made from now on drawn so; when the focus goes, only whom it leaves and to whom it comes."""
    textual.screen.Compositor = NarrowCompositor  # type: ignore[attr-defined]
    textual.screen.Screen.focused._repaint = False
