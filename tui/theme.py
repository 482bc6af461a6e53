"""Colours and glyphs: which theme and which dots a terminal gets, and how a terminal without UTF-8 is served."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar, cast, get_args

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.scrollbar import ScrollBarRender
from textual.theme import BUILTIN_THEMES, Theme

from ..engine.report.sanitize import sanitize
from ..engine.report.width import width_of
from .ascii_letters import of_same_width
from .widgets.dots import Graph


class LetterFilter(LineFilter):
    """Other letters in the rows of every widget, which keep their width."""

    @abstractmethod
    def write(self, text: str) -> str:
        """What stands for `text`; itself where nothing changes."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Write a row."""
        del background
        return [
            segment if (text := self.write(segment.text)) is segment.text else Segment(text, segment.style, segment.control)
            for segment in segments
        ]


class DrawnFilter(LetterFilter):
    """Only what a terminal draws: the last gate for names and messages."""

    def write(self, text: str) -> str:
        """Drop what takes no room and would be obeyed, replace the rest that cannot be written."""
        if text.isprintable():
            return text
        return "".join(c if (shown := sanitize(c)) == c else shown if width_of(c) else "" for c in text)


class AsciiFilter(LetterFilter):
    """Every character that is not ASCII as one that is."""

    def write(self, text: str) -> str:
        """Translate frames and marks, put question marks for the rest."""
        if text.isascii():
            return text
        return "".join(c if c.isascii() else "?" * width_of(c) for c in of_same_width(text))


class BlankEnds(ScrollBarRender):
    """A scroll bar of whole cells: without blocks its ends were commas."""

    VERTICAL_BARS: ClassVar[list[str]] = [ScrollBarRender.BLANK_GLYPH] * len(ScrollBarRender.VERTICAL_BARS)
    HORIZONTAL_BARS: ClassVar[list[str]] = [ScrollBarRender.BLANK_GLYPH] * len(ScrollBarRender.HORIZONTAL_BARS)


def speaks_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the locale says that the terminal takes UTF-8."""
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    return "utf-8" in locale.lower() or "utf8" in locale.lower()


def choose_graph(wanted: str, environ: Mapping[str, str]) -> Graph:
    """What charts are drawn with; `auto`: braille where the terminal speaks UTF-8, blocks on a Linux console."""
    for graph in get_args(Graph):
        if graph == wanted:
            return cast("Graph", graph)
    if not speaks_utf8(environ):
        return "ascii"
    return "block" if environ.get("TERM") == "linux" else "braille"


def choose_theme(wanted: str, environ: Mapping[str, str], known: Iterable[str], *, no_color: bool = False) -> str:
    """A theme's name; `auto`: our own where the terminal has all colours, its own 16 elsewhere, light where it says so."""
    if wanted in known and not no_color:
        return wanted
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    light = background.isdigit() and int(background) >= 7 and int(background) != 8
    rich = environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") and not no_color
    return f"{'edgetui' if rich else 'ansi'}-{'light' if light else 'dark'}"


def _sixteen(name: str, accent: str, warning: str, blurred: str) -> Theme:
    """Textual's theme of the terminal's own colours, with an accent that is not its green for better, and frames to be seen."""
    theme = BUILTIN_THEMES[name]
    return replace(theme, accent=accent, warning=warning, variables={**theme.variables, "border-blurred": blurred})


def themes() -> tuple[Theme, ...]:
    """Our own colours: one accent for the focus, one for better, one for worse."""
    return (
        _sixteen("ansi-dark", "ansi_cyan", "ansi_yellow", "ansi_bright_black"),
        _sixteen("ansi-light", "ansi_blue", "ansi_magenta", "ansi_bright_black"),
        Theme(
            name="edgetui-dark",
            primary="#5fafd7",
            secondary="#87afaf",
            accent="#5fafd7",
            success="#87c38a",
            warning="#d7af5f",
            error="#e5786d",
            foreground="#d0d4d8",
            background="#14171a",
            surface="#14171a",
            panel="#1c2024",
            dark=True,
            variables={"border-blurred": "#343b42", "footer-key-foreground": "#5fafd7"},
        ),
        Theme(
            name="edgetui-light",
            primary="#00668a",
            secondary="#456",
            accent="#00668a",
            success="#2c7a32",
            warning="#8a5a00",
            error="#b3261e",
            foreground="#24292e",
            background="#fbfbf9",
            surface="#fbfbf9",
            panel="#efefec",
            dark=False,
            variables={"border-blurred": "#c9ccd0", "footer-key-foreground": "#00668a"},
        ),
    )
