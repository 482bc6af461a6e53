"""Text from elsewhere on its way to a terminal: nothing of it is obeyed, nothing but what cannot be drawn is lost."""

from __future__ import annotations

import unicodedata

import pytest
from edgetui.engine.report.table import cells, paragraph, table
from edgetui.engine.report.visible import printed_lines, visible
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(alphabet=st.characters()))
def test_whatever_the_text_it_only_draws_and_keeps_its_length(text: str):
    shown = visible(text)
    assert len(shown) == len(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(c) for c in shown} & {"LRO", "RLO", "LRE", "RLE", "PDF", "LRI", "RLI", "FSI", "PDI"}
    shown.encode()


@pytest.mark.parametrize(
    "text", ["", "plain words", "é 日本語 עברית", "e\u0301", "50 % ± 2", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}"]
)
def test_what_a_terminal_draws_stays_as_it_is(text: str):
    assert visible(text) == text


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
    assert visible(text) == shown


def test_what_is_kept_is_kept():
    assert visible("one\ntwo\tthree", keep="\n") == "one\ntwo three"


def test_what_a_tool_printed_is_what_its_terminal_would_show():
    text = "\x1b[1;32mok\x1b[0m\r\n 10 %\r 50 %\r100 %\nname\tvalue\n\x1b[2Jgone\n"
    assert printed_lines(text) == ["ok", "100 %", "name    value", "␛[2Jgone", ""]


def test_a_table_of_foreign_names_is_straight_and_harmless():
    names = ("\x1b[31mred", "日本語", "two\nlines", "plain")
    rows = table([(name, "|") for name in names], width=40).splitlines()
    assert len(rows) == len(names)
    assert len({cells(row[: row.index("|")]) for row in rows}) == 1
    assert "\x1b" not in "".join(rows)
    assert "\x1b" not in paragraph("said \x1b[2J by\x9b somebody", 40)
