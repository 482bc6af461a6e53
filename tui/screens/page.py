"""A page to read: what `edgetui doctor` and `edgetui config` print, on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from ...engine.config import PACKAGE
from ..desk import Desk
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Scrolling, hanging, wrap
from .dialog import Dialog
from .safe_dismiss import dismiss_once

if TYPE_CHECKING:
    from ...engine.doctor.check import Check

Told = Callable[[int], Awaitable[Sequence[Line]]]
"""Rows of that width."""
SIGNS = {"good": ("✓", "good"), "note": ("·", "dim"), "bad": ("✗", "bad")}


class Page(Dialog[None]):
    """Rows over the screen; / finds in them."""

    DEFAULT_CSS = """
    Page { align: center middle; }
    Page > Vertical { width: 100%; max-width: 124; height: 90%; border: round $accent; background: $background; }
    """
    HELP = "Rows to scroll, to look through and to copy: what the command of that name prints, or what came of what was asked."
    EXAMPLE = "/ tensorrt enter goes to the first row with these letters, n to the next; y copies the page."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="page.back", tooltip="To where you came from"),
        Binding("y", "copy", "copy", id="page.copy", tooltip="Copy the page to the clipboard of your terminal"),
    ]

    def __init__(self, title: str, told: Told, look_s: float | None = None) -> None:
        """`look_s`: how often it is asked again; None: never."""
        super().__init__()
        self.heading, self.told, self.look_s = title, told, look_s
        self._wide = 0
        """What rows were asked for last."""

    def compose(self) -> ComposeResult:
        """One page, and its keys."""
        with Vertical() as frame:
            frame.border_title = self.heading
            yield Scrolling([((" looking …", "dim"),)], id="page-rows")
            yield KeyBar()

    def on_mount(self) -> None:
        """Ask for it."""
        self.query_one(Scrolling).focus()
        self.run_in_background(self._fill, "page")
        if self.look_s is not None:
            self.set_interval(self.look_s, partial(self.run_in_background, self._fill, "page"))

    def on_resize(self) -> None:
        """Rows as wide as the page is now."""
        if self._wide not in (0, self._room()):
            self.run_in_background(self._fill, "page")

    def _room(self) -> int:
        return min(self.app.size.width, 124) - 5

    async def _fill(self) -> None:
        self._wide = self._room()
        rows = await self.told(self._wide)
        self.query_one(Scrolling).show(rows)

    def action_copy(self) -> None:
        """To the clipboard."""
        self.app.copy_to_clipboard(self.query_one(Scrolling).plain())
        self.notify("copied", timeout=2)

    def action_back(self) -> None:
        """Close."""
        dismiss_once(self)


def show_doctor(desk: Desk) -> None:
    """What this board offers, lacks, and how to mend it."""
    known: list[Check] = []

    async def told(width: int) -> Sequence[Line]:
        from ...engine.doctor.check import examine

        if not known:  # another width asks for the same in other rows
            known.extend(await asyncio.to_thread(partial(examine, desk.engine.config, desk.engine.home)))
        checks = known
        names = max((len(check.name) for check in checks), default=0)
        rows: list[Line] = []
        for check in checks:
            sign, tone = SIGNS[check.state]
            lead: Line = ((f" {sign} ", tone), (f"{check.name:<{names}}  ", "dim"))
            rows += hanging(lead, check.text, width, tone if check.state == "bad" else "")
            if check.mend:
                rows += hanging(((" " * (names + 5), ""), ("mend: ", "dim")), check.mend, width, "key")
        return rows

    desk.push_screen(Page("Doctor  what this machine offers, what is missing, and what mends it", told))


def show_config(desk: Desk, key: str) -> None:
    """Every setting that is `key` or below it, its value and where it comes from.

    Raises:
        ConfigRefused: there is no such setting.
    """
    from ...engine.library.setting_origins import settings

    found = settings(key)
    packaged = str(PACKAGE / "edgetui.toml")

    async def told(width: int) -> Sequence[Line]:
        names = max((len(each.key) for each in found.settings), default=0)
        rows: list[Line] = []
        for each in found.settings:
            own = each.file not in (None, packaged)
            lead: Line = ((f" {each.key:<{names}}  ", "dim"),)
            rows += hanging(lead, each.in_toml, width, "value" if own else "")
            if own:
                rows += [((" " * (names + 3) + row, "accent"),) for row in wrap(f"{each.file}:{each.line}", width - names - 3)]
        told_own = f"your own: {found.own_file}" + ("" if found.own_file_is_there else ", which is not there")
        return [*rows, (), *(((f" {row}", "dim"),) for row in wrap(told_own, width))]

    desk.push_screen(Page(f"Settings  {key}".rstrip(), told))
