"""What has changed goes to the terminal, and no more is drawn for it.

Textual puts a box round all that has changed and has every widget in the box give all its rows: with a clock in one corner and
a chart in the other, the whole screen, for each frame. Here a widget is asked for those of its rows in which something has
changed that nothing before it covers; and of a row the changed part is written, where Textual writes from the widget's edge.

A whole frame is compared with what the terminal shows: a dialog that opens writes what it covers, and one that closes what it
has covered. For that what lies below a dialog stays as it is; Textual would dim it, and write the whole screen both times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import cast
from weakref import ReferenceType, WeakKeyDictionary, ref

import textual.screen
from rich.console import Console, RenderableType
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual._context import visible_screen_stack
from textual.geometry import Offset, Region, Size
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widget import Widget

Span = tuple[int, int]
"""First column, and the one behind the last."""
Row = dict[int, Strip | None]
"""Pieces by their first column, from left to right; None: not drawn."""


class ShownRows:
    """What a terminal shows, by what it was told: rows of pieces by their first column; a column of no piece is unknown."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.rows: list[dict[int, Strip]] = [{} for _ in range(size.height)]
        self.whose: ReferenceType[NarrowCompositor] | None = None
        """Who told it last."""

    def put(self, y: int, x: int, piece: Strip) -> None:
        """A piece has been written; of what it has covered the rest is still there."""
        row, end = self.rows[y], x + piece.cell_length
        there = row.get(x)
        if there is None or there.cell_length != piece.cell_length:
            for first, old in [each for each in row.items() if each[0] < end and each[0] + each[1].cell_length > x]:
                del row[first]
                if first < x:
                    row[first] = old.crop(0, x - first)
                if first + old.cell_length > end:
                    row[end] = old.crop(end - first)
        row[x] = piece

    def unlike(self, y: int, x: int, piece: Strip) -> Iterator[tuple[int, Strip]]:
        """Of a piece the parts that are not there yet, by their first column."""
        row, end = self.rows[y], x + piece.cell_length
        there = row.get(x)
        if there == piece:
            return
        if there is None or there.cell_length != piece.cell_length:
            for first, old in sorted(each for each in row.items() if x <= each[0] and each[0] + each[1].cell_length <= end):
                behind = first + old.cell_length
                if piece.crop(first - x, behind - x) == old:
                    if x < first:
                        yield x, piece.crop(0, first - x)
                    piece, x = piece.crop(behind - x), behind
        if x < end:
            yield x, piece


_SHOWN: WeakKeyDictionary[Console, ShownRows] = WeakKeyDictionary()


def forget(console: Console) -> None:
    """Something else has written to the terminal, or it has been resized: the next whole frame writes all."""
    _SHOWN.pop(console, None)


class WholeUpdate(LayoutUpdate):
    """A whole frame, of which the terminal is told what it does not show. Pieces that are None are as they were."""

    def __init__(self, rows: Sequence[Row], region: Region, by: NarrowCompositor) -> None:
        super().__init__([_without_holes(row, region.width) for row in rows], region)
        self.rows, self.by = rows, by

    def render_segments(self, console: Console) -> str:
        """Places and letters."""
        told: list[str] = []
        shown = _SHOWN.get(console)
        if shown is None or shown.size != self.region.size:
            shown = _SHOWN[console] = ShownRows(self.region.size)
        for y, row in enumerate(self.rows):
            before, at, whole = shown.rows[y], -1, True
            for x, piece in row.items():
                if piece is None:
                    whole = False
                elif before.get(x) is not piece:
                    for first, part in shown.unlike(y, x, piece):
                        place = "" if first == at else f"\x1b[{y + 1};{first + 1}H"
                        told.append(place + part.render(console))
                        at = first + part.cell_length
            if whole:
                shown.rows[y] = cast("dict[int, Strip]", row)
                continue
            for x, piece in row.items():
                if piece is not None:
                    shown.put(y, x, piece)
        shown.whose = ref(self.by)
        return "".join(told)


def _without_holes(row: Row, width: int) -> Iterable[Strip]:
    """For a picture, in which nothing was before: a screen that is on its way may have no widget there yet."""
    for (first, piece), behind in zip(row.items(), [*row, width][1:], strict=False):
        yield Strip.blank(behind - first) if piece is None else piece


def _between(row: Row, first: int, behind: int) -> Iterator[tuple[int, Strip]]:
    """Pieces that have something in these columns."""
    return ((x, piece) for x, piece in row.items() if piece is not None and x < behind and x + piece.cell_length > first)


def _part(x: int, piece: Strip, first: int, behind: int) -> tuple[int, Strip]:
    """What of a piece lies in these columns, and where it begins."""
    begin, end = max(first, x), min(x + piece.cell_length, behind)
    return begin, piece if end - begin == piece.cell_length else piece.crop(begin - x, end - x)


class NarrowUpdate(ChopsUpdate):
    """Parts of rows, as the terminal is told them."""

    def __init__(self, rows: Sequence[Row], spans: list[tuple[int, int, int]], by: NarrowCompositor) -> None:
        super().__init__(cast("Sequence[Mapping[int, Strip]]", rows), spans, [])
        self.rows, self.by = rows, by

    def render_segments(self, console: Console) -> str:
        """Places and letters."""
        told: list[str] = []
        shown = _SHOWN.get(console)
        if shown is not None and shown.size != self.by.size:
            shown = None
        for y, first, behind in self.spans:
            for x, piece in _between(self.rows[y], first, behind):
                if shown is not None and shown.rows[y].get(x) == piece:
                    continue
                begin, part = _part(x, piece, first, behind)
                told.append(f"\x1b[{y + 1};{begin + 1}H{part.render(console)}")
                if shown is not None:
                    there = shown.rows[y].get(x)
                    if there is not None and there.cell_length == piece.cell_length:
                        shown.rows[y][x] = piece  # beside the part it was so before
                    else:
                        shown.put(y, begin, part)
        if shown is not None:
            shown.whose = ref(self.by)
        return "".join(told)


class NarrowCompositor(Compositor):
    """Textual's, but for what it has drawn, and for what lies below: it leaves the screens below in a variable of the context,
    of which every task that begins later keeps a copy, and with it screens that were left long ago.
    """

    def render_update(
        self, full: bool = False, screen_stack: list[Screen[object]] | None = None, simplify: bool = False
    ) -> RenderableType | None:
        """What has to be written; None: nothing."""
        try:
            return super().render_update(full, screen_stack, simplify)
        finally:
            visible_screen_stack.set([])

    def get_style_at(self, x: int, y: int) -> Style:
        """Style of a cell."""
        try:
            return super().get_style_at(x, y)
        finally:
            visible_screen_stack.set([])

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """Whose cell it is, and which of its own."""
        try:
            return super().get_widget_and_offset_at(x, y)
        finally:
            visible_screen_stack.set([])

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        """All that is seen."""
        if simplify:
            return super().render_full_update(simplify)
        self._dirty_regions.clear()
        wanted = {y: [(0, self.size.width)] for y in range(self.size.height)}
        return WholeUpdate(self._drawn(wanted, over=self._is_there()), self.size.region, self)

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
        return NarrowUpdate(self._drawn(wanted), spans, self)

    def _render_chops(self, crop: Region, is_rendered_line: Callable[[int], bool]) -> Sequence[Mapping[int, Strip]]:
        columns = [crop.column_span]
        drawn = self._drawn({y: columns for y in crop.line_range if is_rendered_line(y)})
        return cast("Sequence[Mapping[int, Strip]]", drawn)

    def _drawn(self, wanted: Mapping[int, Iterable[Span]], *, over: bool = False) -> list[Row]:
        """Of each row the pieces between `cuts`, by where they begin; those that are wanted are there, others may be None.

        Widgets come front to back: whoever is first has the piece. `over`: without what is seen below a dialog.
        """
        cuts = self.cuts
        pieces: list[Row] = [{}] * len(cuts)
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
            if widget is self.root and (below := self._seen_through()) is not None:
                if not over:
                    _fill(pieces, missing, cuts, below)
                break
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

    def _is_there(self) -> bool:
        """Whether the terminal shows what is below a dialog, which comes over it now. What changes there comes behind it."""
        below, shown = self._seen_through(), _SHOWN.get(self.root.app.console) if self.root is not None else None
        return below is not None and shown is not None and shown.whose is not None and shown.whose() is below

    def _seen_through(self) -> NarrowCompositor | None:
        """What is below a dialog; None: this is none, or what is below has not come to this size yet."""
        screen = self.root
        if not isinstance(screen, ModalScreen) or screen.styles.background.a:
            return None
        stack: list[Screen[object]] = screen.app.screen_stack
        at = stack.index(screen) if screen in stack else 0
        below = stack[at - 1]._compositor if at else None
        return below if isinstance(below, NarrowCompositor) and below.size == self.size else None


def _fill(pieces: list[Row], missing: Mapping[int, set[int]], cuts: Sequence[Sequence[int]], below: NarrowCompositor) -> None:
    """Put what is seen of another screen where pieces are missing."""
    spans = {y: [span for span in pairwise(cuts[y]) if span[0] in open_cuts] for y, open_cuts in missing.items()}
    seen = below._drawn(spans)
    for y, holes in spans.items():
        row: Row = {x: piece for x, piece in pieces[y].items() if x not in missing[y]}
        for first, behind in holes:
            row.update(_part(x, piece, first, behind) for x, piece in _between(seen[y], first, behind))
        pieces[y] = dict(sorted(row.items()))


def draw_narrowly() -> None:
    """Have every screen that is made from now on drawn so; when the focus goes, only whom it leaves and to whom it comes."""
    textual.screen.Compositor = NarrowCompositor  # type: ignore[attr-defined]
    textual.screen.Screen.focused._repaint = False
