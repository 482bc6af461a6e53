"""Searches: say how long one takes, begin it or take it up, follow it, print its answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ...engine.advice.goals import goal_help
from ...engine.errors import UsageError
from ...engine.report.table import paragraph
from .completion import files, recipe_names
from .follow import listening
from .options import (
    backend_options,
    data_options,
    make_spec,
    on_option,
    preset_option,
    refuse_beside,
    shape_option,
    workload_option,
)
from .printing import echo, echo_json, json_option, open_engine, paint, width
from .search_table import follow_search

if TYPE_CHECKING:
    from ...engine.api import Engine
    from ...engine.schema.search import Over, SearchRequest

RECIPES = {"formats": "int8", "settings": "int8", "channels": "channels-25"}
"""Whose settings are taken where none is named."""


@click.command(short_help="Find which layers to put into INT8 for a goal.")
@click.argument("model", required=False, shell_complete=files)
@click.option("--goal", default="", metavar="G", help=goal_help())
@click.option(
    "--over",
    type=click.Choice(("formats", "settings", "channels")),
    default="formats",
    show_default=True,
    help="Which format each layer has; how much of channels and ranks goes, and which calibrator and formats found before; or "
    "a share of its own for each group of channels.",
)
@click.option(
    "--recipe",
    "-r",
    metavar="R",
    shell_complete=recipe_names,
    help="Take the settings of quantize.int8, or prune.channels, from a recipe; without it from `int8`, or `channels-25`.",
)
@data_options
@backend_options
@workload_option
@preset_option
@shape_option
@click.option(
    "--budget",
    metavar="B",
    help="Measured candidates at most (`8 builds`; 12 unless said, 20 over settings), or time (`90min`, `2h`).",
)
@click.option("--detach", is_flag=True, help="Start it, print its id, and come back.")
@click.option("--dry-run", is_flag=True, help="Only say what will be done, and how long it takes.")
@click.option("--again", is_flag=True, help="From the beginning, whatever has been found of it or of its layers.")
@on_option
@json_option
def search(
    model: str | None,
    goal: str,
    over: Over,
    recipe: str | None,
    budget: str | None,
    detach: bool,
    dry_run: bool,
    again: bool,
    on: str | None,
    as_json: bool,
    shapes: tuple[str, ...],
    **flags: object,
) -> int:
    """Find the mix of formats, layer by layer, that serves a goal on this board.

    What each layer does to the outputs in INT8, and what it costs, is found out; mixes are checked on half of the samples,
    built and measured, and the other half, which chose nothing, has the last word.

    A search is ordinary runs. Given again, it goes on where it ended, or prints its answer. On a terminal, Ctrl+C ends it.
    Without MODEL: the searches that were made.
    """
    engine = open_engine()
    if model is None:
        if on is not None:
            raise UsageError("no model is named", fix="give one: each board of --on searches for it")
        return asyncio.run(_list(engine, as_json))
    from ...engine.advice.budget import parse_budget

    builds, seconds = parse_budget(budget, over)
    spec = make_spec(engine, model, recipe=recipe or RECIPES[over], shapes=shapes, no_guard=True, **flags)  # type: ignore[arg-type]
    if on is not None:
        from ...engine.front.driven_asks import SearchAsked
        from .on_boards import search_on_boards

        refuse_beside("on", detach=detach, dry_run=dry_run)
        elsewhere = SearchAsked(spec=spec, goal=goal, over=over, builds=builds, seconds=seconds)
        return asyncio.run(search_on_boards(engine, elsewhere, on, again=again, as_json=as_json))
    asked = asyncio.run(engine.plan_search(spec, goal, builds, seconds, over))
    return asyncio.run(_search(engine, asked, detach=detach, dry_run=dry_run, again=again, as_json=as_json))


async def _list(engine: Engine, as_json: bool) -> int:
    import msgspec

    from ...engine.report.study_report import STATE_WORDS

    found = await engine.searches()
    if as_json:
        echo_json(msgspec.json.encode(found))
        return 0
    if not found:
        echo("no searches yet: `edgetui search MODEL --dataset D --goal ...` makes one")
    for each in found:
        echo(paint(f"{each.search}  {STATE_WORDS[each.state]}", "head"))
        echo(paragraph(f"  {each.goal or 'fastest'}: {each.why}", width(), "  "))
    return 0


async def _search(engine: Engine, asked: SearchRequest, *, detach: bool, dry_run: bool, again: bool, as_json: bool) -> int:
    import msgspec
    from msgspec import structs

    from ...engine.report.study_report import time_words

    asked = structs.replace(asked, warnings=await engine.check(asked.spec, backend=True, goal=asked.goal))
    time = await engine.search_time(asked)
    if dry_run:
        if as_json:
            echo_json(msgspec.json.encode(time))
        else:
            echo(paragraph(f"{time_words(time)}, and what finds out about each layer before", width()))
            for text in asked.warnings:
                echo(paragraph(f"! {text}", width(), "  "))
        return 0
    with listening() as ending:
        begun = await engine.begin_search(asked, again=again)
        engine.ask_no_more()
        if not as_json and await engine.search_alive(begun):
            echo(paint(f"search {begun}", "head"))
            echo(paragraph(f" {time_words(time)}, and what finds out about each layer before", width(), " "))
            for text in asked.warnings:
                echo(paragraph(f" ! {text}", width(), "   "))
        return await follow_search(engine, begun, asked, ending, detach, as_json)
