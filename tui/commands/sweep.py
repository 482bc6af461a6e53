"""Sweeps: say how long one takes, begin it or take it up, follow it, print its table and which row to take."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from ...engine.errors import ModelRefused, UsageError
from ...engine.report.table import paragraph
from .completion import run_or_file
from .follow import Ending, listening, progress_stream
from .options import (
    backend_option,
    backend_settings,
    find_model,
    on_option,
    preset_option,
    refuse_beside,
    shape_option,
    trust_option,
)
from .printing import echo, echo_json, json_option, open_engine, paint, width
from .sweep_table import follow_or_end, follow_sweep, print_sweep

if TYPE_CHECKING:
    from ...engine.api import Engine, SweepWords
    from ...engine.schema.settings import BackendSettings
    from ...engine.schema.sweep import SweepRequest


class Counts(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.3 on
    """Whole numbers behind each other, `1,2,4`."""

    name = "N,N"

    def __init__(self, flag: str) -> None:
        self.flag = flag

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers, each once."""
        from ...engine.front.sweep_words import counts

        del param, ctx
        return value if isinstance(value, tuple) else counts(str(value), self.flag)


@click.command(short_help="The cheapest power mode, batch, streams, threads that reach a wish.")
@click.argument("what", required=False, metavar="MODEL|PLAN|RUN|SWEEP", shell_complete=run_or_file)
@click.option("--modes", default="", metavar="all|15W,25W|none", help="Power modes, by name or number; all of the board's.")
@click.option("--batch", "batches", type=Counts("batch"), default=(), help="Batches, of a model that has its batch free.")
@click.option("--streams", type=Counts("streams"), default=(), help="How many infer with the plan at once.")
@click.option("--threads", type=Counts("threads"), default=(), help="Threads inside an operator.")
@click.option("--device", "devices", default="", metavar="gpu,dla0", help="Where TensorRT builds for, or PyTorch computes.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=A,B", help="Values of a setting of the backend; may be repeated."
)
@click.option("--want", default=None, metavar="WISH", help='Limits, e.g. "fps>=30 power_w<=12": the cheapest row within them.')
@click.option("--rounds", type=click.IntRange(2, 20), help="How often each row is measured; more where two are alike.")
@click.option("--detach", is_flag=True, help="Start it, print its id, and come back.")
@click.option("--dry-run", is_flag=True, help="Only say what will be measured, and how long it takes.")
@click.option("--again", is_flag=True, help="From the beginning, whatever has been measured of it.")
@on_option
@preset_option
@shape_option
@backend_option
@trust_option
@json_option
def sweep(
    what: str | None,
    modes: str,
    batches: tuple[int, ...],
    streams: tuple[int, ...],
    threads: tuple[int, ...],
    devices: str,
    settings: tuple[str, ...],
    want: str | None,
    rounds: int | None,
    detach: bool,
    dry_run: bool,
    again: bool,
    on: str | None,
    preset: str | None,
    shapes: tuple[str, ...],
    backend: str | None,
    trust: bool,
    as_json: bool,
) -> int:
    """Measure one plan in every combination of what is named, and say which is the cheapest that reaches a wish.

    The cheapest takes the fewest joules a frame. The power mode that is on comes back whatever happens. Without a dimension:
    all power modes of a board; threads and batches of another machine. Given again, it goes on where it ended, or prints its
    table; the id of a sweep prints its table, for another wish too. Without an argument: the sweeps.
    """
    from ...engine.front.sweep_words import SweepWords, setting
    from ...engine.front.sweep_words import devices as devices_of
    from ...engine.schema.settings import Preset
    from ...engine.schema.spec import parse_shape

    engine = open_engine()
    if what is None:
        if on is not None:
            raise UsageError("no model is named", fix="give one: each board of --on sweeps it")
        return asyncio.run(_list(engine, as_json))
    found = _target(engine, what, backend, trust)
    if isinstance(found, str):
        if on is not None:
            raise UsageError(f"sweep {found} was made here", fix="name its model or plan: each board of --on sweeps that")
        return asyncio.run(_known(engine, found, want, as_json))
    path, name, chosen = found
    said = SweepWords(
        modes=modes,
        batches=batches,
        streams=streams,
        threads=threads,
        devices=devices_of(devices),
        settings=tuple(setting(text) for text in settings),
        want=want or "",
        preset=cast("Preset", preset or engine.config.defaults.preset),
        rounds=rounds,
        shapes=dict(parse_shape(text) for text in shapes),
    )
    if on is not None:
        from ...engine.front.driven_asks import SweepAsked
        from .on_boards import sweep_on_boards

        refuse_beside("on", detach=detach, dry_run=dry_run)
        elsewhere = SweepAsked(model=str(path), name=name, backend=chosen, said=said)
        return asyncio.run(sweep_on_boards(engine, elsewhere, on, again=again, as_json=as_json))
    return asyncio.run(_sweep(engine, (path, name, chosen), said, detach=detach, dry_run=dry_run, again=again, as_json=as_json))


def _target(engine: Engine, what: str, backend: str | None, trust: bool) -> tuple[Path, str, BackendSettings] | str:
    """The model or plan that is meant, what it is called, and its backend; or the id of a sweep.

    Raises:
        ModelRefused: there is none of all that.
    """
    from ...engine.library.models import backend_of

    try:
        path = find_model(engine, what)
    except ModelRefused as refused:
        if known := asyncio.run(engine.known_sweep(what)):
            return known
        runs = asyncio.run(engine.list())
        if not runs or not (what == "last" or any(what in run.run for run in runs)):
            raise refused from None
        plan = asyncio.run(engine.plan_of(what))
        if backend not in (None, plan.backend.name):
            raise UsageError(f"the plan of {what} is {plan.backend.name}'s", fix="leave --backend out") from None
        return Path(plan.plan), asyncio.run(engine.result(what)).run, plan.backend
    return path, path.stem, backend_settings(engine, backend_of(path, backend), None, trust=trust)


async def _list(engine: Engine, as_json: bool) -> int:
    import msgspec

    from ...engine.report.sweep_report import sweeps_report

    known = await engine.sweeps()
    if as_json:
        echo_json(msgspec.json.encode(known))
    else:
        echo(sweeps_report(known, width(), paint))
    return 0


async def _sweep(
    engine: Engine,
    target: tuple[Path, str, BackendSettings],
    said: SweepWords,
    *,
    detach: bool,
    dry_run: bool,
    again: bool,
    as_json: bool,
) -> int:
    path, name, backend = target
    asked = await engine.plan_sweep(path, name, backend, said)
    if dry_run:
        return await _dry_run(engine, asked, again=again, as_json=as_json)
    with listening() as ending:
        await _say_sweep_time(engine, asked, again=again, quiet=as_json)
        begun = await engine.begin_sweep(asked, again=again)
        engine.ask_no_more()
        how: Ending = "left" if detach else await follow_or_end(engine, begun, ending, progress_stream(as_json))
    if detach and not as_json:
        echo(begun)
        return 0
    return await print_sweep(engine, begun, how, asked.want, as_json)


async def _say_sweep_time(engine: Engine, asked: SweepRequest, *, again: bool, quiet: bool) -> None:
    from ...engine.report.sweep_report import sweep_time_words

    found = await engine.sweep_time(asked, again=again)
    if not found.about_s:
        return
    stream = sys.stderr if quiet else sys.stdout
    echo(paragraph(f"sweep of {asked.name}: {sweep_time_words(found)}", width(), " "), stream)
    for reason in found.reasons:
        echo(paragraph(f" ! not measured: {reason}", width(), " "), stream)


async def _dry_run(engine: Engine, asked: SweepRequest, *, again: bool, as_json: bool) -> int:
    import msgspec

    from ...engine.advice.sweep_answer import row_words

    if as_json:
        echo_json(msgspec.json.encode(await engine.sweep_time(asked, again=again)))
        return 0
    await _say_sweep_time(engine, asked, again=again, quiet=False)
    for number, point in enumerate(asked.points):
        why = asked.reasons.get(number, "")
        echo(f"  {row_words(point)}{f': {why}' if why else ''}")
    return 0


async def _known(engine: Engine, sweep: str, want: str | None, as_json: bool) -> int:
    """The table of a sweep that was begun before."""
    if await engine.sweep_doing(sweep) is None or as_json:
        return await print_sweep(engine, sweep, "left", want, as_json)
    with listening() as ending:
        how = await follow_sweep(engine, sweep, ending, progress_stream(as_json))
    return await print_sweep(engine, sweep, "left" if how != "ended" else how, want, as_json)
