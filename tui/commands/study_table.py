"""A study followed, ended and printed: what `study`, `show`, `cancel` and `resume` share."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from .follow import INTERRUPTED, RUN_KEYS, TERMINATED, Ending, follower
from .printing import echo, echo_error, echo_json, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine

LOOK_S = 0.3


async def end_study(engine: Engine, study: str, as_json: bool) -> int:
    """End it, and say so; 1 where nobody works for it."""
    import msgspec

    if not await engine.study_alive(study):
        echo_error(f"study {study} is not running; `edgetui study` lists what was done of each")
        return 1
    await engine.end_study(study)
    found = await engine.study_table(study)
    if as_json:
        echo_json(msgspec.json.encode(found))
        return 0
    again = "" if found.state == "done" else f"; `edgetui resume {study}` takes it up again"
    echo(f"study {study} is {found.state}{again}")
    return 0


async def follow_study(engine: Engine, begun: str, asked: asyncio.Future[Ending], as_json: bool) -> Ending:
    """Follow group after group, until the last has ended or somebody has seen enough; Ctrl+C ends the study."""
    how = await follow_groups(engine, begun, asked, as_json)
    if how == "interrupted":
        await engine.end_study(begun)
    return how


async def follow_groups(
    engine: Engine, begun: str, asked: asyncio.Future[Ending], as_json: bool, keys: str = RUN_KEYS
) -> Ending:
    """The same; the study is left as it is. `keys`: what a terminal shows of them."""
    groups = await engine.study_groups(begun)
    for number, group in enumerate(groups):
        if group.ended or not await _begins(engine, begun, number, asked):
            continue
        if not as_json:
            repeat = f", repeat {group.group.repeat + 1}" if group.group.repeat else ""
            echo(paint(f"\n{number + 1} of {len(groups)}: {group.group.experiment}, {group.group.model}{repeat}", "head"))
        runs = (await engine.study_groups(begun))[number].runs
        how = await (await follower(engine, runs, as_json, keys)).follow(asked)
        if how != "ended":
            return how
    while await engine.study_alive(begun) and not asked.done():
        await asyncio.wait({asked}, timeout=LOOK_S)
    return asked.result() if asked.done() else "ended"


async def _begins(engine: Engine, begun: str, number: int, asked: asyncio.Future[Ending]) -> bool:
    """Wait until a group is carried; False: it is over, or was passed over, or nobody will begin it."""
    while not asked.done():
        groups = await engine.study_groups(begun)
        if groups[number].going:
            return True
        later = any(group.going for group in groups[number + 1 :])
        if groups[number].ended or later or not await engine.study_alive(begun):
            return False
        await asyncio.wait({asked}, timeout=LOOK_S)
    return False


async def print_study(engine: Engine, begun: str, how: Ending, as_json: bool) -> int:
    """Its table; 0 where it is done or was left going."""
    import msgspec

    from ...engine.report.study_report import study_report

    found = await engine.study_table(begun)
    if as_json:
        echo_json(msgspec.json.encode(found))
    elif how == "ended":
        echo("\n" + study_report(found, width(), paint))
    if how == "left":
        echo(f"study {begun} goes on; `edgetui show {begun}` prints its table", sys.stderr)
        return 0
    if how == "interrupted":
        echo(f"ended; `edgetui resume {begun}` takes it up again", sys.stderr)
        return INTERRUPTED
    if how == "terminated":
        return TERMINATED
    for run in found.failed:
        echo(f"warning: run {run} failed; `edgetui show {run}` says why, `edgetui resume {run}` tries it again", sys.stderr)
    if found.state not in ("done", "running"):
        what = f"study {begun} is not done: {found.done} of {found.groups} groups have ended"
        echo_error(f"{what}; `edgetui resume {begun}` takes it up again")
        return 1
    return 0
