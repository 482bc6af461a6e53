"""Studies: say how long one takes, begin it or take it up, follow its groups, print its table."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, TextIO

import click

from ...engine.errors import UsageError
from ...engine.report.table import paragraph
from .completion import study_names
from .follow import INTERRUPTED, TERMINATED, Ending, listening
from .options import backend_options, backend_settings, on_option, refuse_beside_on, refuse_without_on, train_on_option
from .printing import echo, echo_error, echo_json, json_option, open_engine, paint, width
from .run import RUN_KEYS, follower

if TYPE_CHECKING:
    from ...engine.api import Engine
    from ...engine.schema.study import StudyRequest

LOOK_S = 0.3


@click.command(short_help="Do a published comparison here: the paper's figures beside ours.")
@click.argument("name", required=False, shell_complete=study_names)
@click.option("--small", is_flag=True, help="Trains nothing and measures quickly: within a quarter of an hour.")
@click.option("--detach", is_flag=True, help="Start it, print its id, and come back.")
@click.option("--dry-run", is_flag=True, help="Only say what will be done, and how long it takes.")
@click.option("--again", is_flag=True, help="From the beginning, whatever has been done of it.")
@on_option
@train_on_option
@backend_options
@json_option
def study(
    name: str | None,
    small: bool,
    detach: bool,
    dry_run: bool,
    again: bool,
    on: str | None,
    train_on: str | None,
    as_json: bool,
    backend: str | None,
    threads: int | None,
    mode: str | None,
    device: str | None,
) -> int:
    """Do a study that ships, or your own file, on this board, and print its table: the paper's figures below ours.

    A study is ordinary runs, one group of them after another. Given again, it goes on where it ended, or prints its table. On a
    terminal, `d` leaves it going and Ctrl+C ends it. Without NAME: the studies, and what was done of each.
    """
    engine = open_engine()
    if name is None:
        if small or detach or dry_run or again or on is not None or train_on is not None:
            raise UsageError("no study is named", fix="give a name: `edgetui study` lists them")
        return asyncio.run(_list(engine, as_json))
    settings = backend_settings(engine, backend, threads, mode, device)
    asked = asyncio.run(engine.plan_study(name, small=small, backend=settings, elsewhere=on is not None))
    if on is not None:
        from .on_boards import study_on_boards

        refuse_beside_on(detach=detach, dry_run=dry_run)
        return asyncio.run(study_on_boards(engine, asked, on, train_on=train_on or "", again=again, as_json=as_json))
    refuse_without_on(train_on=train_on)
    return asyncio.run(_study(engine, asked, detach=detach, dry_run=dry_run, again=again, as_json=as_json))


async def _list(engine: Engine, as_json: bool) -> int:
    import msgspec

    from ...engine.report.study_report import studies_report

    known = await engine.studies()
    if as_json:
        echo_json(msgspec.json.encode(known))
        return 0
    echo(studies_report(known, width(), paint))
    for line in engine.broken_studies():
        echo(paint(f"! {line}", "worse"))
    return 0


_BRING = "mend what the study's file names, or bring models of your own in a file that is `like` this study"


async def _study(engine: Engine, asked: StudyRequest, *, detach: bool, dry_run: bool, again: bool, as_json: bool) -> int:
    if dry_run:
        return await _dry_run(engine, asked, again=again, as_json=as_json)
    if not asked.groups:
        what = f"nothing of {asked.study.name} can be run here"
        if as_json:
            what += f": {'; '.join(dict.fromkeys(each.reason for each in asked.left_out))}"
        else:
            _say_left_out(asked, sys.stderr)
        raise UsageError(what, fix=_BRING)
    with listening() as ending:
        known = "" if again else await engine.known_study(asked)
        if not known or (await engine.study_table(known)).state != "done":
            await _say_time(engine, asked, again=again, quiet=as_json)
        begun = await engine.begin_study(asked, again=again)
        engine.ask_no_more()
        how: Ending = "left" if detach else await _follow(engine, begun, ending, as_json)
        if how == "interrupted":
            await engine.end_study(begun)
    if detach and not as_json:
        echo(begun)
        echo(f"it goes on by itself; {_again(asked)} follows it", sys.stderr)
        return 0
    return await _print(engine, asked, begun, how, as_json)


def _again(asked: StudyRequest) -> str:
    return f"`edgetui study {asked.study.name}{' --small' if asked.small else ''}`"


async def _say_time(engine: Engine, asked: StudyRequest, *, again: bool, quiet: bool) -> None:
    """What is going to be done, and how long it takes; on standard error where standard output is for a document."""
    from ...engine.report.study_report import time_words

    stream = sys.stderr if quiet else sys.stdout
    found = await engine.study_time(asked, again=again)
    echo(
        paint(f"study {asked.study.name}{' --small' if asked.small else ''}", "head") if not quiet else asked.study.name, stream
    )
    echo(paragraph(f" {time_words(found)}", width(), " "), stream)
    _say_left_out(asked, stream)


def _say_left_out(asked: StudyRequest, stream: TextIO) -> None:
    for line in _left_out(asked):
        echo(paragraph(f" ! {line}", width(), " "), stream)


def _left_out(asked: StudyRequest) -> list[str]:
    """What is not run, each reason once."""
    found: dict[str, dict[str, None]] = {}
    known = {model.name for model in asked.models}
    for each in asked.left_out:
        found.setdefault(each.reason, {})[each.variant if each.model in known else each.model] = None
    return [*asked.notes, *(f"{', '.join(names)}: {reason}" for reason, names in found.items())]


async def _dry_run(engine: Engine, asked: StudyRequest, *, again: bool, as_json: bool) -> int:
    import msgspec

    if as_json:
        echo_json(msgspec.json.encode(await engine.study_time(asked, again=again)))
        return 0
    await _say_time(engine, asked, again=again, quiet=False)
    for group in asked.groups:
        many = f" ({group.repeat + 1})" if group.repeat else ""
        echo(f"  {group.experiment}{many}  {group.model}  {', '.join(spec.recipe.name for spec in group.specs)}")
    return 0


async def _follow(engine: Engine, begun: str, asked: asyncio.Future[Ending], as_json: bool) -> Ending:
    """Follow group after group, until the last has ended or somebody has seen enough."""
    groups = await engine.study_groups(begun)
    for number, group in enumerate(groups):
        if group.ended or not await _begins(engine, begun, number, asked):
            continue
        if not as_json:
            repeat = f", repeat {group.group.repeat + 1}" if group.group.repeat else ""
            echo(paint(f"\n{number + 1} of {len(groups)}: {group.group.experiment}, {group.group.model}{repeat}", "head"))
        runs = (await engine.study_groups(begun))[number].runs
        how = await (await follower(engine, runs, as_json, RUN_KEYS)).follow(asked)
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


async def _print(engine: Engine, asked: StudyRequest, begun: str, how: Ending, as_json: bool) -> int:
    import msgspec

    from ...engine.report.study_report import study_report

    found = await engine.study_table(begun)
    if as_json:
        echo_json(msgspec.json.encode(found))
    elif how == "ended":
        echo("\n" + study_report(found, width(), paint))
    if how == "left":
        echo(f"study {begun} goes on; {_again(asked)} follows it", sys.stderr)
        return 0
    if how == "interrupted":
        echo(f"ended; {_again(asked)} takes it up again", sys.stderr)
        return INTERRUPTED
    if how == "terminated":
        return TERMINATED
    for run in found.failed:
        echo(f"warning: run {run} failed; `edgetui show {run}` says why, `edgetui resume {run}` tries it again", sys.stderr)
    if found.state != "done":
        echo_error(
            f"study {begun} is not done: {found.done} of {found.groups} groups have ended; {_again(asked)} takes it up again"
        )
        return 1
    return 0
