"""Pieces of rows whose caches come late are those of Textual in all else."""

from __future__ import annotations

import inspect

import pytest
from edgetui.tui.strips import CACHES, make_caches_late
from rich.segment import Segment
from rich.style import Style
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
