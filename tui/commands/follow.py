"""Follow a run on the terminal: a line a stage, the current one rewritten in place; `d` leaves the run going, Ctrl+C ends it.

Where there is no terminal, a plain line when a stage has ended, and one now and then while it takes long.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
import time
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO

from ...engine.advice import words
from ...engine.report.sanitize import sanitize
from ...engine.report.width import cut, width_of
from ...engine.schema.events import AnyEvent, Queued, StageEnded, StageFailed
from ..runview import RunView, numbered
from ..terminal import draws, told
from .printing import colours, fit, width

if TYPE_CHECKING:
    from ...engine.api import Engine

Ending = Literal["ended", "left", "interrupted", "terminated"]
INTERRUPTED, TERMINATED = 130, 143
"""Exit statuses of who was asked to end."""
TICK_S = 0.5
PLAIN_EVERY_S = 30.0
GAP = "   "
RUN_KEYS, WATCH_KEYS = "d detach · Ctrl+C cancel", "Ctrl+C stops watching"
LEAST_BAR, MOST_BAR = 8, 30
"""Columns of a bar; with less room there is none."""


def progress_stream(as_json: bool) -> TextIO | None:
    """Where progress goes: standard output, but with --json the terminal behind standard error, if there is one."""
    if not as_json:
        return sys.stdout
    return sys.stderr if sys.stderr.isatty() else None


@contextlib.contextmanager
def listening() -> Iterator[asyncio.Future[Ending]]:
    """From here on Ctrl+C and SIGTERM settle the future instead of ending us: a run that has just begun must not be lost."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[Ending] = loop.create_future()
    loop.add_signal_handler(signal.SIGINT, _ask, asked, "interrupted")
    loop.add_signal_handler(signal.SIGTERM, _ask, asked, "terminated")
    try:
        yield asked
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)


def _ask(asked: asyncio.Future[Ending], ending: Ending) -> None:
    if not asked.done():
        asked.set_result(ending)


class StatusLine:
    """A terminal's last line, written over; where there is no terminal, only lines that stay."""

    def __init__(self, out: TextIO | None) -> None:
        """`out`: None writes nowhere."""
        self.out = out
        self.live = out is not None and out.isatty()
        self._shown = ""

    def keep(self, text: str) -> None:
        """A line that stays."""
        self.erase()
        text = sanitize(text)
        self._write((self._cut(text) if self.live else text) + "\n")

    def rewrite(self, text: str, share: float | None = None, hint: str = "") -> None:
        """The line that is written over, when it has changed.

        Args:
            text: what is going on; cut where it does not fit.
            share: how far it is, 0..1: a bar where there is room for one.
            hint: what stands at the end.
        """
        if self.out is None or not self.live or not text:
            return
        hint = f"   {hint}" if hint else ""
        text = self._cut(sanitize(text) + hint)
        room = width(self.out) - 1 - width_of(text) - len(GAP)
        if share is not None and draws() and room >= LEAST_BAR:
            from .terminal_drawing import drawn_bar

            bar = drawn_bar(share, min(room, MOST_BAR), colours(self.out))
            text = text.removesuffix(hint) + GAP + bar + hint
        if text != self._shown:
            clear = "\x1b[K" if draws() else " " * (width(self.out) - 1 - width_of(text))
            self._write("\r" + text + clear)
            self._shown = text

    def ring(self, text: str) -> None:
        """Tell the terminal, whose window may be behind others."""
        self._write(told(sanitize(text)))

    def erase(self) -> None:
        """Make room for what comes."""
        if self._shown:
            self._write("\r" + " " * (width(self.out) - 1) + "\r")
            self._shown = ""

    def _cut(self, text: str) -> str:
        room = width(self.out) - 1
        return text if width_of(text) <= room else cut(text, room - 1) + "…" if room > 0 else ""

    def _write(self, text: str) -> None:
        """A terminal that is gone must not end the following of a run that goes on."""
        if self.out is not None:
            with contextlib.suppress(OSError):
                self.out.write(fit(text, self.out))
                self.out.flush()


class Follower:
    """Shows a run, or those that were started together, until all have ended or somebody has seen enough."""

    def __init__(self, engine: Engine, runs: Mapping[str, str], out: TextIO | None, hint: str) -> None:
        """`runs`: their ids, and what is said of each before its lines, e.g. its recipe; empty where there is one. `out`: where
        progress goes, None: nowhere; `hint`: the keys, shown on a terminal.
        """
        self.engine = engine
        self.views = {run: RunView(run) for run in runs}
        self.labels = runs
        self._wide = max(map(width_of, runs.values()), default=0)
        self.line = StatusLine(out)
        self.hint = hint
        self._plain_at = time.monotonic()

    async def follow(self, asked: asyncio.Future[Ending]) -> Ending:
        """Returns when all have ended, or `asked` (see `listening`) says so; the runs are left as they are."""
        going = [run for run in self.views if await self.engine.going(run)]
        watcher, ticker = asyncio.create_task(self._watch_all()), asyncio.create_task(self._tick())
        try:
            with _keys(asyncio.get_running_loop(), self.line.live, lambda key: _ask(asked, "left") if key == "d" else None):
                both: set[asyncio.Future[Any]] = {watcher, asked}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ticker.cancel()
            watcher.cancel()
            self.line.erase()
        if asked.done():
            return asked.result()
        await watcher
        if going and self.line.live and self.engine.config.notify.terminal != "never":
            self.line.ring("; ".join([await self.engine.ending_words(run) for run in going]))
        return "ended"

    async def _watch_all(self) -> None:
        watchers = [asyncio.create_task(self._watch(view)) for view in self.views.values()]
        try:
            for each in watchers:
                await each
        finally:
            for each in watchers:
                each.cancel()

    async def _watch(self, view: RunView) -> None:
        events: AsyncIterator[AnyEvent] = self.engine.watch(view.run)
        async for event in events:
            view.take(event)
            if isinstance(event, StageEnded | StageFailed):
                self._keep(self._ended(event, self._label(view)))
            elif isinstance(event, Queued) and view is next(iter(self.views.values())):
                self._keep(f" · waiting: {words.waits(event)}")

    def _label(self, view: RunView) -> str:
        """What stands before a run's lines."""
        label = self.labels[view.run]
        return f"{label}{' ' * (self._wide - width_of(label))}  " if label else ""

    async def _tick(self) -> None:
        while True:
            if self.line.live:
                self.line.rewrite(*self._going(), self.hint)
            elif time.monotonic() - self._plain_at > PLAIN_EVERY_S:
                self._keep(self._going()[0])
            await asyncio.sleep(TICK_S)

    def _keep(self, text: str) -> None:
        self.line.keep(text)
        self._plain_at = time.monotonic()

    def _ended(self, event: StageEnded | StageFailed, label: str) -> str:
        """The line of a stage that is over."""
        if isinstance(event, StageFailed):
            return f" ✗ {label}{event.stage}"
        took = words.took(event.seconds, cached=event.cached)
        return f" ✓ {label}{event.stage:<18} {took:>8}   {event.summary}".rstrip()

    def _going(self) -> tuple[str, float | None]:
        """The line of the stage that is being done: elapsed, how long it may take, how far it is; and how far, 0..1."""
        going = [view for view in self.views.values() if not view.state and view.going]
        if not going:
            return "", None
        view = going[0]
        label = self._label(view) if len(going) == 1 else ""
        elapsed, takes = view.stage_elapsed(), view.stage_takes_s()
        far, share = view.doing(), view.told_share()
        about = f" of about {words.seconds(takes)}" if takes is not None else ""
        text = f" ▶ {label}{view.stage:<18} {words.seconds(elapsed):>8}{about}"
        if self.line.live:
            room = width(self.line.out) - 1 - width_of(text) - width_of(self.hint) - 6
            far = cut(far, room) if room > 8 else ""
        return f"{text}   {far}".rstrip(), share


@contextlib.contextmanager
def _keys(loop: asyncio.AbstractEventLoop, live: bool, press: Callable[[str], None]) -> Iterator[None]:
    """Hear single keys while we are in the terminal's foreground; its settings are put back."""
    stdin = sys.stdin
    if not live or stdin is None or not stdin.isatty() or os.tcgetpgrp(stdin.fileno()) != os.getpgrp():
        yield
        return
    fd = stdin.fileno()

    def hear() -> None:
        key = os.read(fd, 1)
        if key:
            press(key.decode("ascii", "replace"))
        else:
            loop.remove_reader(fd)  # the terminal is gone

    before = termios.tcgetattr(fd)
    tty.setcbreak(fd, termios.TCSADRAIN)
    loop.add_reader(fd, hear)
    try:
        yield
    finally:
        loop.remove_reader(fd)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSADRAIN, before)


async def follower(engine: Engine, runs: Sequence[str], as_json: bool, keys: str) -> Follower:
    """Of a run, or of several with their recipes before the lines."""
    labels = numbered([(await engine.spec(run)).recipe.name or run for run in runs]) if len(runs) > 1 else [""]
    return Follower(engine, dict(zip(runs, labels, strict=True)), progress_stream(as_json), keys)
