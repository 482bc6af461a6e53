"""Studies: say how long one takes, begin it or take it up, follow its groups, print its table."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, TextIO

import click

from ...engine.errors import UsageError
from ...engine.report.table import paragraph
from .completion import study_names
from .follow import Ending, listening
from .options import backend_options, backend_settings, on_option, refuse_beside, train_on_option
from .printing import echo, echo_json, json_option, open_engine, paint, width
from .study_table import follow_study, print_study

if TYPE_CHECKING:
    from ...engine.api import Engine
    from ...engine.schema.study import StudyRequest


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
    asked = asyncio.run(engine.plan_study(name, small=small, backend=settings, elsewhere=bool(on or train_on)))
    if on is not None:
        from .on_boards import study_on_boards

        refuse_beside("on", detach=detach, dry_run=dry_run)
        return asyncio.run(study_on_boards(engine, asked, on, train_on=train_on or "", again=again, as_json=as_json))
    if train_on:
        refuse_beside("train-on", dry_run=dry_run)
        return asyncio.run(_trained_study(engine, asked, train_on, detach=detach, again=again, as_json=as_json))
    return asyncio.run(_study(engine, asked, detach=detach, dry_run=dry_run, again=again, as_json=as_json))


async def _trained_study(
    engine: Engine, asked: StudyRequest, train_on: str, *, detach: bool, again: bool, as_json: bool
) -> int:
    """A study here of what a board trains before."""
    from ...engine.front.asking_boards import specs_of, with_trained
    from .on_boards import left_to_boards, trained_on

    trained, ending = await trained_on(engine, specs_of(asked), train_on, again=again, as_json=as_json)
    if ending != "ended":
        return left_to_boards(ending)
    return await _study(engine, with_trained(asked, trained), detach=detach, dry_run=False, again=again, as_json=as_json)


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
        how: Ending = "left" if detach else await follow_study(engine, begun, ending, as_json)
    if detach and not as_json:
        echo(begun)
        echo("it goes on by itself; the same command follows it", sys.stderr)
        return 0
    return await print_study(engine, begun, how, as_json)


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
