"""A line that is typed, and how keys are named."""

from __future__ import annotations

import pytest
from edgetui.engine.report.width import width_of
from edgetui.tui.widgets.entry import Entry, scrolled, within
from edgetui.tui.widgets.keybar import _ended, key_name, keys_of
from textual import events


def key(name: str) -> events.Key:
    return events.Key(name, name if len(name) == 1 else None)


def test_arrows_are_words_where_they_cannot_be_shown():
    """`<` for `←` read as the key of that sign."""
    assert [key_name("left,h"), key_name("left,h", "ascii"), key_name("slash", "ascii")] == ["←", "left", "/"]


def test_keys_may_be_set_as_they_are_written():
    assert [keys_of(text) for text in ("{", "f5,ctrl+t", "-,=", "T", "slash")] == [
        "left_curly_bracket",
        "f5,ctrl+t",
        "minus,equals_sign",
        "T",
        "slash",
    ]


def test_a_line_that_is_typed():
    entry = Entry("ab")
    for name in ("left", "X", "end", "Y", "backspace", "home", "delete"):
        assert entry.press(key(name))
    assert entry.text == "Xb"
    assert not entry.press(key("f5"))
    entry.insert("p\nq")
    assert entry.text == "pqXb"
    assert "".join(text for text, _ in entry.spans()) == "pqXb"


@pytest.mark.parametrize("text", ["~/data/a/long/path/to/some/images/of/cats.zip", "日本語のとても長い名前のフォルダ", "short"])
@pytest.mark.parametrize("room", [1, 2, 9, 24])
def test_of_what_is_wider_than_its_room_the_part_around_the_caret_is_seen(text: str, room: int):
    entry = Entry(text)
    for at in range(len(text) + 1):
        entry.at = at
        (before, _), (under, style), (after, _) = shown = within(entry.spans(), room)
        assert (under, style) == (text[at : at + 1] or " ", "edit")
        assert sum(width_of(part) for part, _ in shown) <= max(room, width_of(under))
        assert text[:at].endswith(before.removeprefix("…"))
        assert text[at + 1 :].startswith(after.removesuffix("…"))
        if room == 24 and at < len(text) - 1:
            assert after, "what is behind the caret is seen"


@pytest.mark.parametrize("room", [3, 6, 20, 40, 80])
def test_of_a_hint_without_room_the_beginning_is_said_with_a_mark(room: int):
    """`alone: look for one` was `alon` at 80 columns."""
    spans = (("   [PATH]", "value"), ("   a folder of models, one model, or data; alone: look for one", "dim"))
    told = "".join(text for text, _ in _ended(spans, room))
    assert width_of(told) <= room
    assert told == "".join(text for text, _ in spans) if room == 80 else told.endswith("…") or not told.strip()


def test_what_stands_before_a_line_that_is_typed_stays():
    entry = Entry("a" * 60)
    row = scrolled((("data      ", "accent"), *entry.spans()), 40)
    assert "".join(text for text, _ in row) == f"data      …{'a' * 28} "
