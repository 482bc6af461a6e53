"""A sweep followed, ended and printed: what `sweep`, `show`, `cancel` and `resume` share."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, TextIO

from .follow import INTERRUPTED, TERMINATED, WATCH_KEYS, Ending, StatusLine
from .printing import echo, echo_error, echo_json, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine

LOOK_S = 0.3
ENDED_BY: dict[Ending, int] = {"interrupted": INTERRUPTED, "terminated": TERMINATED}


async def follow_sweep(
    engine: Engine, sweep: str, asked: asyncio.Future[Ending], out: TextIO | None, hint: str = WATCH_KEYS
) -> Ending:
    """A line of what it does, until it has ended or somebody has seen enough; the sweep is left as it is."""
    from ...engine.advice import words

    line, shown = StatusLine(out), ""
    try:
        while not asked.done() and (doing := await engine.sweep_doing(sweep)) is not None:
            left = f", about {words.seconds(doing.left_s)} left" if doing.left_s else ""
            text = f" {f'round {doing.round}, ' if doing.round else ''}{doing.text}{left}"
            if line.live:
                line.rewrite(text, hint=hint)
            elif text != shown and line.out is not None:
                line.keep(text)
            shown = text
            await asyncio.wait({asked}, timeout=LOOK_S)
    finally:
        line.erase()
    return asked.result() if asked.done() else "ended"


async def follow_or_end(engine: Engine, sweep: str, asked: asyncio.Future[Ending], out: TextIO | None) -> Ending:
    """The same; who is asked to end ends it too, and waits until the first power mode is back."""
    how = await follow_sweep(engine, sweep, asked, out, "Ctrl+C ends it")
    if how in ENDED_BY and await engine.sweep_doing(sweep) is not None:
        await engine.end_sweep(sweep)
    return how


async def print_sweep(engine: Engine, sweep: str, how: Ending, want: str | None, as_json: bool) -> int:
    """Its table and answer; 0 where it is done or was left going."""
    import msgspec

    from ...engine.report.sweep_report import sweep_report

    found = await engine.sweep_report(sweep, want)
    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo(sweep_report(found, width(), paint))
    if how in ENDED_BY:
        echo(f"ended; `edgetui resume {sweep}` takes it up again", sys.stderr)
        return ENDED_BY[how]
    if found.mode_left:
        echo_error(f"the power mode {found.first_mode} is not back: {found.mode_left}; `edgetui doctor` puts it back")
        return 1
    if found.state == "done" and found.rows and all(row.fps is None for row in found.rows):
        why = next((row.reason for row in found.rows if row.reason), "no row has figures")
        echo_error(f"nothing was measured: {why}; sweep what can be executed here: another model, backend or device")
        return 1
    if found.state in ("failed", "crashed"):
        echo_error(f"sweep {sweep} is not done; `edgetui resume {sweep}` takes it up again")
        return 1
    return 0
