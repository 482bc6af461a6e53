"""Tables and progress on a terminal: drawn by rich, as wide as the terminal; what is no terminal gets letters alone."""

from __future__ import annotations

import contextlib
import io
import re

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.report.table import plain
from edgetui.engine.report.width import width_of
from edgetui.tui.ascii_letters import LETTERS, WORDS, of_lines, of_same_width
from edgetui.tui.commands.follow import StatusLine
from edgetui.tui.commands.printing import echo, paint, unicode_ok

ROWS = [("run", "state", "took"), ("20261120-2311-digits-int8", "done " * 12, "27 s"), ("漢字", "failed", "1 s")]
TONES = [("dim",) * 3, ("", "better", "dim"), ("", "bad", "")]
SOURCES = (".py", ".toml")
CODE = re.compile(r"\x1b\[[\d;]*m")


class Screen(io.StringIO):
    """What a terminal is told."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch):
    """Standard output as a terminal of 80 columns with colours."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    unicode_ok.cache_clear()
    yield Screen()
    unicode_ok.cache_clear()


def drawn(out, width=60, heads=True, rows=ROWS, tones=TONES):
    """Print a table on `out` as standard output."""
    with contextlib.redirect_stdout(out):
        echo(paint.table(rows, width=width, tones=tones, right={2}, heads=heads))


def test_names_of_columns_stand_above_a_line_and_rows_fit(screen):
    drawn(screen)
    lines = CODE.sub("", screen.getvalue()).splitlines()
    assert lines[0].split() == ["run", "state", "took"]
    assert set(lines[1]) == {"─"}
    assert max(map(width_of, lines)) <= 60
    assert all(line == line.rstrip() for line in lines)


def test_tones_are_colours(screen):
    drawn(screen)
    assert "\x1b[1mrun" in screen.getvalue()
    assert "\x1b[32mdone" in screen.getvalue()
    assert "\x1b[31mfailed" in screen.getvalue()


def test_an_id_is_not_broken_where_half_the_width_holds_it(screen):
    drawn(screen, 52)
    assert "20261120-2311-digits-int8" in CODE.sub("", screen.getvalue())


def test_an_indent_stands_before_all_lines_of_a_cell(screen):
    drawn(screen, 20, heads=False, rows=[("  " + "word " * 8, "x", "y")], tones=())
    lines = CODE.sub("", screen.getvalue()).splitlines()
    assert len(lines) > 1
    assert all(line.startswith("  word") for line in lines)


def test_without_colours_the_line_remains(monkeypatch, screen):
    monkeypatch.setenv("NO_COLOR", "1")
    drawn(screen)
    assert "\x1b" not in screen.getvalue()
    assert "──" in screen.getvalue()


def test_a_terminal_without_unicode_gets_ascii(monkeypatch, screen):
    monkeypatch.setenv("LC_ALL", "C")
    unicode_ok.cache_clear()
    drawn(screen, rows=ROWS[:2], tones=TONES[:2])
    assert screen.getvalue().isascii()
    assert "\n\x1b[2m-" in screen.getvalue()


@pytest.mark.parametrize("letters", [LETTERS, WORDS], ids=["screen", "lines"])
def test_each_sign_that_is_written_here_has_one_in_ascii(letters: dict[int, str | int]):
    """A star and a degree were question marks."""
    files = [path for room in ("tui", "engine", "profiles") for path in (PACKAGE / room).rglob("*.*") if path.suffix in SOURCES]
    signs = {letter for path in files for letter in path.read_text() if not letter.isascii() and not letter.isalpha()}
    assert len(signs) > 20
    signs |= set("┏━┓┃┗┛")  # Textual's frame of what has the focus, without colours
    assert {sign for sign in signs if ord(sign) not in letters} == set()


TOLD_APART = ("✓✗▶·–!", "●○◌", "▲▼=", "…·–", "▸▾", "█░", "┃│◆─┌", "▁▃▅█")
"""Signs that stand in one picture and say different things."""


@pytest.mark.parametrize("signs", TOLD_APART)
def test_signs_that_say_different_things_have_different_twins(signs: str):
    """A cut text ended with a dot, as whole ones do; a board that starts was one that is not up."""
    if "│" in signs:  # median and whisker differ by where they stand
        signs = signs.replace("┃", "")
    twins = [of_same_width(sign) for sign in signs]
    assert len(set(twins)) == len(twins), twins


def test_a_sign_takes_the_blank_beside_it_where_its_twin_is_wider():
    assert of_same_width("reading …") == "reading.."
    row = "size  1.11 kB → about 850 B   57 °C  top-1 ≥ 0.80  2.44 ms ± 0.02   ±5 %"
    assert of_same_width(row) == "size  1.11 kB ->about 850 B   57  C  top-1 >=0.80  2.44 ms +-0.02  +-5 %"


def test_columns_stand_below_each_other_without_unicode():
    """`±` became two letters, and what stood behind it one place further right."""
    rows = [
        "            FP32               int8",
        "mean        2.47 ms ± 0.83     1.27 ms",
        "hottest  –  57 °C  ≥ 3    …    end",
    ]
    shown = of_lines("\n".join(rows)).split("\n")
    assert shown[1] == "mean        2.47 ms +- 0.83    1.27 ms"
    assert shown[2] == "hottest  -  57 C   >= 3   ...  end"
    assert shown[0].index("int8") == shown[1].index("1.27")
    assert of_lines("a → b, 1 ± 2 …") == "a -> b, 1 +- 2 ..."


@pytest.mark.parametrize("name", ["dumb", ""])
def test_what_cannot_be_drawn_on_gets_letters(monkeypatch, screen, name):
    monkeypatch.setenv("TERM", name)
    drawn(screen)
    assert screen.getvalue() == plain.table(ROWS, width=60, right={2}) + "\n"


def test_a_pipe_gets_letters():
    pipe = io.StringIO()
    drawn(pipe)
    assert pipe.getvalue() == plain.table(ROWS, width=60, right={2}) + "\n"


def test_values_of_toml_are_told_apart(screen):
    drawn(screen, heads=False, rows=[("ui.rate_hz", '"auto"', "4.0")], tones=[("", "toml", "toml")])
    assert re.search(r'\x1b\[[\d;]*m"auto"\x1b\[0m', screen.getvalue())
    assert re.search(r"\x1b\[[\d;]*m4\.0\x1b\[0m", screen.getvalue())


def test_progress_is_a_bar_where_there_is_room(monkeypatch, screen):
    line = StatusLine(screen)
    line.rewrite(" ▶ measure  12 s", 0.5, "d detach")
    shown = CODE.sub("", screen.getvalue()).replace("\x1b[K", "").lstrip("\r")
    assert re.fullmatch(r" ▶ measure  12 s   (━|╸|╺){30}   d detach", shown)
    assert width_of(shown) < 80
    monkeypatch.setenv("NO_COLOR", "1")
    line.rewrite(" ▶ measure  13 s", 0.5, "d detach")
    assert re.search(r"13 s   ━{14,15}╸? {14,15}   d detach", screen.getvalue())


def test_without_room_there_is_no_bar(screen):
    StatusLine(screen).rewrite("x" * 62, 0.5, "d detach")
    assert screen.getvalue().removesuffix("\x1b[K") == "\r" + "x" * 62 + "   d detach"
