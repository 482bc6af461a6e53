"""Pieces of rows whose caches come late are those of Textual in all else."""

from __future__ import annotations

import inspect

import pytest
from edgetui.tui.strips import CACHES, make_caches_late
from edgetui.tui.widgets.lines import Scrolling
from edgetui.tui.widgets.scatter import Dot, scatter
from rich.segment import Segment
from rich.style import Style
from screens import until
from textual.app import App, ComposeResult
from textual.cache import FIFOCache
from textual.strip import Strip


@pytest.fixture
def piece() -> Strip:
    make_caches_late()
    return Strip([Segment("abc", Style(bold=True)), Segment("defg", Style())])


def test_every_attribute_of_a_piece_is_there(piece: Strip):
    for name in Strip.__slots__:
        value = getattr(piece, name)
        assert isinstance(value, FIFOCache) == (name in CACHES), name
        assert getattr(piece, name) is value
    with pytest.raises(AttributeError):
        piece.nothing  # noqa: B018


def test_caches_hold_as_much_as_textual_s(piece: Strip):
    told = inspect.getsource(inspect.getmodule(Strip))
    init = told[told.index("def __init__(") : told.index("def __rich_repr__")]
    assert init.count("FIFOCache(") == len(CACHES)
    for name, most in CACHES.items():
        theirs = init[init.index(f"self.{name}") :]
        assert theirs[theirs.index("= FIFOCache(") :].startswith(f"= FIFOCache({most})"), name


def test_a_piece_is_cut_and_joined(piece: Strip):
    assert [part.text for part in piece.divide([2, 7])] == ["ab", "cdefg"]
    assert piece.crop(1, 5).text == "bcde"
    assert piece.divide([2, 7]) is piece.divide([2, 7])
    assert piece.cell_length == 7
    assert piece.extend_cell_length(9).text == "abcdefg  "


class OneList(App[None]):
    def compose(self) -> ComposeResult:
        yield Scrolling()


async def test_neighbours_of_one_tone_are_one_piece_of_a_row() -> None:
    """A front made cell by cell was 25 kB on the link."""
    dots = [Dot(1.0, 0.8, "int8", True), Dot(2.4, 0.81, "FP32", False)]
    async with OneList().run_test(size=(80, 12)) as pilot:
        rows = pilot.app.query_one(Scrolling)
        await until(pilot, lambda: rows.size.height == 12)
        rows.show(picture := scatter(dots, 80, 12, "ms", "top-1"))
        strips = [rows.render_line(y) for y in range(12)]
        assert [strip.text.rstrip() for strip in strips] == ["".join(text for text, _ in line).rstrip() for line in picture]
        assert max(len(list(strip)) for strip in strips) <= 8
