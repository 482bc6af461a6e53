"""The queue for the board: who waits, and who comes first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ...engine.errors import UsageError
from .completion import run_names
from .printing import echo, echo_json, json_option, open_engine, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine


@click.command(short_help="Who waits for the board; let a run go earlier or later.")
@click.argument("runs", nargs=-1, metavar="[RUN...]", shell_complete=run_names)
@click.option("--first", is_flag=True, help="Next, once the board is free.")
@click.option("--last", is_flag=True, help="After all others.")
@click.option("--after", default="", metavar="RUN", shell_complete=run_names, help="Right after this one, however it ends.")
@json_option
def queue(runs: tuple[str, ...], first: bool, last: bool, after: str, as_json: bool) -> int:
    """Who has the board and who waits for it, in order; with RUN: move it. `cancel` ends one that waits.

    What was begun with `run --after` stands below: it comes into the queue when that run has ended well.
    """
    if bool(runs) != (first + last + bool(after) == 1):
        raise UsageError("a run is moved with one of --first, --last and --after", fix="give a run and one of them, or nothing")
    return asyncio.run(_queue(open_engine(), runs, last, after, as_json))


async def _queue(engine: Engine, runs: tuple[str, ...], last: bool, after: str, as_json: bool) -> int:
    import msgspec

    if runs and last:
        found = await engine.move(runs, by=1_000_000)
    elif runs:
        found = await engine.move(runs, after=(await engine.queued_as(after)) if after else "")
    else:
        found = await engine.queue()
    if as_json:
        echo_json(msgspec.json.encode(found))
        return 0
    rows = [*([("works", found.holder)] if found.holder else []), *((f"{n}.", run) for n, run in enumerate(found.waiting, 1))]
    rows += [("after", f"{run}  begins when {' and '.join(others)} has ended well") for run, others in found.after.items()]
    echo(paint.table(rows, width=width()) if rows else "nobody waits for the board")
    return 0
