"""Runs that are kept: delete and have back, tag, write a note."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from ...engine.errors import UsageError
from .completion import run_names
from .printing import echo, echo_json, json_option, open_engine, paint, width

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...engine.api import Engine
    from ...engine.schema.run_summary import Remarks


@click.command(short_help="Remove runs, or groups; `restore` has them back.")
@click.argument("runs", metavar="RUN|GROUP...", nargs=-1, required=True, shell_complete=run_names)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--for-good", is_flag=True, help="Do not keep them in the trash; their room is free at once.")
@json_option
def delete(runs: tuple[str, ...], yes: bool, for_good: bool, as_json: bool) -> int:
    """Remove runs that have ended, with events, logs, results and artifacts. What others share with them in the cache stays.

    They lie in the trash for a week ([trash] in edgetui.toml says how long, and how much): `restore RUN` has them back.
    """
    return asyncio.run(_delete(open_engine(), runs, yes, for_good, as_json))


async def _delete(engine: Engine, texts: tuple[str, ...], yes: bool, for_good: bool, as_json: bool) -> int:
    import msgspec

    names = tuple(dict.fromkeys([name for text in texts for name in await engine.members(text)]))
    await engine.refuse_going(names)
    kept = not for_good and engine.config.trash.keep_days > 0
    if not yes and (as_json or not sys.stdin.isatty()):
        raise UsageError(f"nobody can be asked here whether {', '.join(names)} may go", fix="add --yes")
    many = f"{len(names)} runs: {', '.join(names)}" if len(names) > 1 else f"run {names[0]}"
    cost = (
        f"`edgetui restore` has them back within {engine.config.trash.keep_days:g} days."
        if kept
        else "Events, log, result and artifacts are gone for good."
    )
    if not yes and not click.confirm(f"Remove {many}? {cost}", err=True):
        echo("nothing was removed", sys.stderr)
        return 1
    for name in names:
        await engine.delete(name, for_good=for_good)
    if as_json:
        echo_json(msgspec.json.encode({"deleted": names}))
    else:
        echo("\n".join(f"removed {name}" for name in names))
    return 0


@click.command(short_help="Have deleted runs back; without RUN: which there are.")
@click.argument("runs", metavar="[RUN...]", nargs=-1, shell_complete=run_names)
@json_option
def restore(runs: tuple[str, ...], as_json: bool) -> int:
    """Take deleted runs out of the trash again; `last` is what was deleted last. Without RUN: what is in it."""
    return asyncio.run(_restore(open_engine(), runs, as_json))


async def _restore(engine: Engine, texts: tuple[str, ...], as_json: bool) -> int:
    import msgspec

    from ...engine.advice.words import seconds, size

    back = [await engine.restore(text) for text in texts]
    left = await engine.deleted()
    if as_json:
        echo_json(msgspec.json.encode({"restored": back, "trash": left}))
    elif texts:
        echo("\n".join(f"{name} is back" for name in back))
    elif left:
        rows = [("deleted run", "ago", "size"), *((each.run, seconds(each.age_s), size(each.size_bytes)) for each in left)]
        echo(paint.table(rows, width=width(), right=(1, 2), heads=True))
    else:
        echo("the trash is empty")
    return 0


@click.command(short_help="Tags on a run, or on a group: put there, taken away, shown.")
@click.argument("run", metavar="RUN|GROUP", shell_complete=run_names)
@click.argument("tags", metavar="[TAG...]", nargs=-1)
@click.option("--remove", "-r", "gone", multiple=True, metavar="TAG", help="Take this tag away; may be said several times.")
@json_option
def tag(run: str, tags: tuple[str, ...], gone: tuple[str, ...], as_json: bool) -> int:
    """Put tags on a run, so that `runs --where tag:TAG` finds it. Without TAG: those that are on it."""
    engine = open_engine()
    words = [*tags, *(f"-{each}" for each in gone)]
    remarked = asyncio.run(engine.tag([run], words) if words else _remarks(engine, run))
    _print_remarks(remarked, as_json)
    return 0


@click.command(short_help="A note on a run: written, taken away, shown.")
@click.argument("run", metavar="RUN|GROUP", shell_complete=run_names)
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("--clear", is_flag=True, help="Take the note away.")
@json_option
def note(run: str, text: str | None, clear: bool, as_json: bool) -> int:
    """Write a note on a run in place of the one that it has. Without TEXT: show it."""
    if text is not None and clear:
        raise UsageError("--clear beside a note", fix="leave one out")
    engine = open_engine()
    _print_remarks(asyncio.run(_note(engine, run, "" if clear else text)), as_json)
    return 0


async def _note(engine: Engine, text: str, note: str | None) -> Mapping[str, Remarks]:
    if note is not None:
        for run in await engine.members(text):
            await engine.note(run, note)
    return await _remarks(engine, text)


async def _remarks(engine: Engine, text: str) -> Mapping[str, Remarks]:
    return {run: await engine.remarks(run) for run in await engine.members(text)}


def _print_remarks(remarked: Mapping[str, Remarks], as_json: bool) -> None:
    import msgspec

    if as_json:
        echo_json(msgspec.json.encode({"remarks": remarked}))
        return
    for run, remarks in remarked.items():
        said = "  ".join(filter(None, [" ".join(f"#{each}" for each in remarks.tags), remarks.note]))
        echo(f"{run}  {said or 'no tags and no note'}")
