"""Text from elsewhere on its way to a terminal: nothing of it is obeyed, nothing but what cannot be drawn is lost."""

from __future__ import annotations

import unicodedata

import pytest
from edgetui.engine.report import width
from edgetui.engine.report.sanitize import printed_lines, sanitize
from edgetui.engine.report.table import paragraph, table
from edgetui.engine.report.width import cut, width_of
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth


@given(st.text(alphabet=st.characters()))
def test_whatever_the_text_it_only_draws_and_keeps_its_length(text: str):
    shown = sanitize(text)
    assert len(shown) == len(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(c) for c in shown} & {"LRO", "RLO", "LRE", "RLE", "PDF", "LRI", "RLI", "FSI", "PDI"}
    shown.encode()


@pytest.mark.parametrize(
    "text", ["", "plain words", "é 日本語 עברית", "e\u0301", "50 % ± 2", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}"]
)
def test_what_a_terminal_draws_stays_as_it_is(text: str):
    assert sanitize(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("two\nlines\tand\r", "two lines and "),
        ("\x7f\x9b2J\u202egnp.exe", "��2J�gnp.exe"),
        ("bad\udcff", "bad�"),
    ],
)
def test_what_a_terminal_obeys_is_said_instead(text: str, shown: str):
    assert sanitize(text) == shown


def test_what_is_kept_is_kept():
    assert sanitize("one\ntwo\tthree", keep="\n") == "one\ntwo three"


def test_what_a_tool_printed_is_what_its_terminal_would_show():
    text = "\x1b[1;32mok\x1b[0m\r\n 10 %\r 50 %\r100 %\nname\tvalue\n\x1b[2Jgone\n"
    assert printed_lines(text) == ["ok", "100 %", "name    value", "␛[2Jgone", ""]


def test_a_table_of_foreign_names_is_straight_and_harmless():
    names = ("\x1b[31mred", "日本語", "two\nlines", "plain")
    rows = table([(name, "|") for name in names], width=40).splitlines()
    assert len(rows) == len(names)
    assert len({width_of(row[: row.index("|")]) for row in rows}) == 1
    assert "\x1b" not in "".join(rows)
    assert "\x1b" not in paragraph("said \x1b[2J by\x9b somebody", 40)


LETTERS = st.sampled_from(["漢", "語", "a", "b", " ", "-", "e\u0301", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}"])


@given(st.lists(LETTERS, max_size=60).map("".join), st.integers(20, 60))
def test_a_paragraph_counts_columns_and_not_letters(text: str, width: int):
    rows = paragraph(text, width, "  ").splitlines()
    assert all(width_of(row) <= width for row in rows)
    assert "".join("".join(rows).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "room", "kept"),
    [
        ("plain", 3, "pla"),
        ("漢字漢", 3, "漢"),
        ("ae\u0301b", 2, "ae\u0301"),
        ("漢", 1, ""),
        ("\u2013\u2013", 1, "\u2013"),
        ("a", 0, ""),
    ],
)
def test_a_text_is_cut_between_letters(text: str, room: int, kept: str):
    assert cut(text, room) == kept


@given(st.text(alphabet=st.characters()))
def test_columns_are_counted_as_wcwidth_counts_them(text: str):
    shown = sanitize(text)
    assert width_of(shown) == max(0, wcswidth(shown))


def test_all_letters_that_are_counted_without_its_tables_are_one_column_wide():
    letters = [chr(code) for code in range(32, 0x3000)]
    assert [letter for letter in letters if width.NARROW.fullmatch(letter) and wcswidth(letter) != 1] == []
