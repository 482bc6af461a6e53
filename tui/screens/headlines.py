"""The workbench's first rows: what board this is, and in one column the tabs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ...engine.report.width import cut, width_of
from ..widgets.lines import Line

if TYPE_CHECKING:
    from ...engine.api import Sample
    from ..runview import RunView

TABS = ("models", "settings", "live", "run", "log")
WORDS = {"models": "Models", "settings": "Compression", "live": "Live", "run": "Run", "log": "Log"}


def header_line(board: str, free: str, width: int, now: Sample | None = None) -> Line:
    """`edgetui  Orin Nano · 25W ...   RAM 3.1/7.4 GB   disk 75 GB free   14:02`; what has no room is left out.

    The board's name and its power mode come first: the disk goes before they are cut, then the memory.
    """
    name, _, others = board.partition(" · ")
    name = " · ".join(filter(None, (name, now.power_mode if now is not None else "")))
    ram = ""
    if now is not None and now.ram_used_mb is not None and now.ram_total_mb:
        ram = f"RAM {now.ram_used_mb / 1024:.1f}/{now.ram_total_mb / 1024:.1f} GB"
    clock = datetime.now().strftime("%H:%M")
    for facts in ((ram, free, clock), (ram, clock), (clock,)):
        right = f" {'   '.join(filter(None, facts))} "
        room = max(0, width - 10 - len(right))
        if width_of(name) <= room:
            break
    board = " · ".join(filter(None, (name, others)))
    return ((" edgetui  ", "title"), (f"{fitting(board, room):<{room}}", ""), (right, "dim"))


_BESIDE = re.compile(r" with(?:out)? .*")


def fitting(facts: str, room: int, between: str = " · ") -> str:
    """As many of the facts as fit; the last of them without what it has or lacks (`computer without an NVIDIA GPU` is a
    `computer`), and of one that alone is too long its first words.
    """
    while width_of(facts) > room:
        rest, _, last = facts.rpartition(between)
        bare = _BESIDE.sub("", last)
        if bare != last:
            facts = f"{rest}{between}{bare}" if rest else bare
        else:
            facts = rest or facts.rpartition(" ")[0].rstrip() or cut(facts, room)
    return facts


def with_note(tabs: Line, notes: Sequence[str], width: int) -> Line:
    """Tabs, and at the right what a frame would say where there is one: the first of these words that fits."""
    room = width - sum(width_of(text) for text, _ in tabs) - 3
    note = next((note for note in notes if note and width_of(note) <= room), "")
    return (*tabs, (" " * (room + 2 - width_of(note)), ""), (note, "dim")) if note else tabs


def tab_columns(line: Line) -> dict[str, int]:
    """The column at which each tab of `tabs_line` begins."""
    columns, at = {}, 0
    for name, (text, _) in zip(TABS, line[: len(TABS)], strict=True):
        columns[name] = at
        at += width_of(text)
    return columns


def tabs_line(view: RunView | None, tab: str) -> Line:
    """`1 Models [2 Compression] 3 Live  4 Run  5 Log   ▶ measure 67 %`: what changes stands behind all that is pressed."""
    line: Line = ()
    for n, name in enumerate(TABS, 1):
        word = f"{n} {WORDS[name]}"
        line = (*line, (f"[{word}]", "accent") if name == tab else (f" {word} ", "dim"))
    if view is None or view.state:
        return line
    from ..panes.run_rows import share_done

    share = share_done(view)
    going = f"▶ {view.stage}" + (f" {100 * share:.0f} %" if share is not None else "")
    return (*line, ("  · queued" if view.queued else f"  {going.rstrip()}", "dim"))
