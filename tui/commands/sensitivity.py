"""What each unit of a model, or each value of a setting, does to the outputs when it is compressed; no labels are needed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...engine.errors import UsageError
from ...engine.schema.sensitivity import UNITS
from ...engine.schema.step import Step
from ...engine.schema.steps import STEPS, Recipe, plain_step
from .completion import files, recipe_names
from .follow import Ending, StatusLine, listening, progress_stream
from .options import backend_option, data_options, make_spec, shape_option, threads_option
from .printing import echo, echo_json, json_option, open_engine, paint, width

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...engine.api import Engine, SensitivityQuestion
    from ...engine.schema.events import AnyEvent
    from ...engine.schema.sensitivity import Sensitivity

_METHODS = tuple(method for method, kind in STEPS.items() if kind.sparing)
_SWEPT = tuple(dict.fromkeys(name for kind in STEPS.values() for name in kind.sweeps))
_STATUS: dict[Ending, int] = {"interrupted": 130, "terminated": 143}


@click.command(short_help="What compressing each layer, or ever more, does to the outputs.")
@click.argument("model", shell_complete=files)
@click.option("--step", "method", type=click.Choice(_METHODS), default="quantize.int8", show_default=True, help="What is done.")
@click.option(
    "--recipe",
    "-r",
    metavar="R",
    shell_complete=recipe_names,
    help="Take the step's settings from a recipe that has it.",
)
@click.option(
    "--over",
    type=click.Choice((UNITS, *_SWEPT)),
    help="Each unit alone, or a setting of the step over the whole model; without it the setting that says how much, if any.",
)
@click.option("--values", metavar="V,V,...", help="Values of the setting, e.g. 1e-4,1e-3,1e-2.")
@click.option("--at", type=float, metavar="V", help="Count the weights before and after at this value; without it at the knee.")
@data_options
@click.option("--samples", type=click.IntRange(1), default=256, show_default=True, help="Samples to use, at most.")
@click.option("--random", "made_up", is_flag=True, help="Use made-up inputs where there are no samples.")
@backend_option
@threads_option
@shape_option
@json_option
def sensitivity(
    model: str,
    method: str,
    recipe: str | None,
    over: str | None,
    values: str | None,
    at: float | None,
    dataset: str | None,
    calibration: str | None,
    samples: int,
    made_up: bool,
    backend: str | None,
    threads: int | None,
    shapes: tuple[str, ...],
    as_json: bool,
) -> int:
    """Change one unit of MODEL after the other alone (nodes that a backend computes together), or ever more of all of it, and
    say how far the outputs move: divergence of classes, noise, offset rate. No labels are needed.

    What was found is kept: the same command goes on where it was ended, and answers at once where it was not.
    """
    import msgspec

    from ...engine.api import SensitivityQuestion

    if made_up and (dataset or calibration):
        raise UsageError("--random is for want of samples", fix="leave it out, or leave the samples out")
    engine = open_engine()
    step = _step(engine, method, recipe)
    spec = make_spec(
        engine,
        model,
        recipe=Recipe(name=method, step=(step,)),
        backend=backend,
        dataset=dataset,
        calibration=calibration,
        workload="flat-out",
        preset=None,
        shapes=shapes,
        threads=threads,
    )
    if made_up:
        spec = msgspec.structs.replace(spec, dataset=None, calibration=None)
    question = SensitivityQuestion(
        spec=spec,
        over=over or next(iter(step.sweeps), UNITS),
        values=_numbers(values),
        at=at,
        samples=samples,
        made_up=made_up,
    )
    return asyncio.run(_asked(engine, question, as_json))


def _step(engine: Engine, method: str, recipe: str | None) -> Step:
    """The step with its defaults, or as a recipe sets it.

    Raises:
        UsageError: the recipe has no such step.
    """
    from ...engine.library.recipes import find_recipe

    if recipe is None:
        return plain_step(method)
    found = find_recipe(recipe, engine.config)
    step = next((step for step in found.active if step.method == method), None)
    if step is None:
        there = ", ".join(step.method for step in found.active)
        raise UsageError(f"recipe {recipe} has no step {method}", fix=f"name one that it has with --step: {there or 'none'}")
    return step


def _numbers(text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"`{text}` is no list of numbers", fix="write e.g. --values 1e-4,1e-3,1e-2") from None


async def _asked(engine: Engine, question: SensitivityQuestion, as_json: bool) -> int:
    line = StatusLine(progress_stream(as_json))
    task = asyncio.ensure_future(engine.sensitivity(question, _following(line)))
    with listening() as asked:
        await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
        line.erase()
        if task.done():
            _print(await task, as_json)
            return 0
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        known = await engine.known_sensitivity(question)
        if known is not None:
            _print(known, as_json)
        return _STATUS[asked.result()]


def _following(line: StatusLine) -> Callable[[AnyEvent], None]:
    """What shows how far it is, and the last row."""
    from ...engine.report.sensitivity_table import cell, setting
    from ...engine.schema.events import Progress, RowFound

    told, share = "", 0.0

    def listen(event: AnyEvent) -> None:
        nonlocal told, share
        if isinstance(event, RowFound):
            row = event.row
            name = "kl" if row.kl is not None else "sqnr_db"
            told = f"   {row.unit or setting(row.value)}  {'KL ' if name == 'kl' else 'SQNR '}{cell(row, name)}"
        elif isinstance(event, Progress):
            share = event.done / event.total if event.total else 0.0
            of = f" of {event.total:g}" if event.total else ""
            line.rewrite(f" ▶ {event.done:g}{of} {event.text}{told}", share)

    return listen


def _print(found: Sensitivity, as_json: bool) -> None:
    import msgspec

    from ...engine.report.sensitivity_table import sensitivity_report

    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo(sensitivity_report(found, Path(found.model).name, width(), paint))
