"""Searches by their ids, for the commands that take runs: what a word means, and the answer as far as it is."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from ...engine.advice.goals import parse_goal
from .follow import INTERRUPTED, TERMINATED, Ending, StatusLine, progress_stream
from .printing import echo, echo_error, echo_json, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine
    from ...engine.schema.search import SearchRequest

LOOK_S = 0.5


async def print_search(engine: Engine, search: str, as_json: bool) -> int:
    """The document, or the answer and what led to it; 1 and an error where it has none and nobody works for it."""
    import msgspec

    from ...engine.report.search_report import search_report

    found = await engine.search_document(search)
    if as_json:
        echo_json(msgspec.json.encode(found))
    elif found.state in ("done", "running"):
        echo(search_report(found, width(), paint))
    if found.state in ("done", "running"):
        return 0
    echo_error(f"search {search} has no answer: {found.why}")
    return 1


async def end_search(engine: Engine, search: str, as_json: bool) -> int:
    """End it, and say so; 1 where nobody works for it."""
    if not await engine.search_alive(search):
        echo_error(f"search {search} is not running; `edgetui search` lists them")
        return 1
    await engine.end_search(search)
    if as_json:
        await print_search(engine, search, as_json=True)
    else:
        echo(f"search {search} is {(await engine.search_document(search)).state}; `edgetui resume {search}` takes it up again")
    return 0


async def follow_search(
    engine: Engine, begun: str, asked: SearchRequest, ending: asyncio.Future[Ending], detach: bool, as_json: bool
) -> int:
    """Follow it to its end or until somebody has seen enough, and print its answer; the exit status."""
    import msgspec

    from ...engine.report.search_report import search_report

    how: Ending = "left" if detach else await follow_lines(engine, begun, asked.goal, ending, as_json, "Ctrl+C ends it")
    if how == "interrupted":
        await engine.end_search(begun)
    if detach and not as_json:
        echo(begun)
        echo("it goes on by itself; the same command follows it", sys.stderr)
        return 0
    found = await engine.search_document(begun)
    if as_json:
        echo_json(msgspec.json.encode(found))
    elif how == "ended" and found.state == "done":
        echo("\n" + search_report(found, width(), paint))
    if how != "ended":
        echo(
            "the same command takes it up again" if how == "interrupted" else "it goes on; the same command follows it",
            sys.stderr,
        )
        return INTERRUPTED if how == "interrupted" else TERMINATED if how == "terminated" else 0
    if found.state != "done":
        echo_error(f"search {begun} has no answer: {found.why}")
        return 1
    return 0


async def follow_lines(
    engine: Engine, begun: str, goal: str, ending: asyncio.Future[Ending], as_json: bool, hint: str
) -> Ending:
    """A line for each thing that is found, the run that is going below them, until the end or somebody has seen enough; the
    search is left as it is. `hint`: the keys, shown on a terminal.
    """
    from ...engine.advice.metrics import AIMS
    from ...engine.report.search_report import line_text

    line, told = StatusLine(progress_stream(as_json)), 0
    quantity = AIMS[parse_goal(goal).aim].limited_as
    while True:
        alive = await engine.search_alive(begun)
        lines = await engine.search_lines(begun)
        for each in lines[told:]:
            if text := line_text(each, quantity):
                line.keep(f"  {text}")
        told = len(lines)
        if ending.done() or not alive:
            line.erase()
            return ending.result() if ending.done() else "ended"
        run = await engine.search_run(begun)
        line.rewrite(f" ▶ {run}" if run else " ▶ …", hint=hint)
        await asyncio.wait({ending}, timeout=LOOK_S)
