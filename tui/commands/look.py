"""What is there: models, recipes, runs and their results; nothing here starts a run."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...engine.config import typed_path
from ...engine.errors import ModelRefused, UsageError
from ...engine.report.visible import printed_lines
from ..terminal import no_drawing
from .ask import backend_option, backend_settings, find_model, shape_option, threads_option, trust_option
from .follow import Line
from .run import progress_stream
from .shared import echo, echo_json, echo_notes, json_option, open_engine, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine, PlanQuestion, Side
    from ...engine.events import AnyEvent


@click.command(short_help="What is in MODEL, what a backend would refuse; the layers of a plan.")
@click.argument("model", metavar="MODEL|PLAN|RUN")
@click.option("--layers", is_flag=True, help="Of a model: build a plan of it, and time its layers.")
@click.option("--baseline", is_flag=True, help="Of a run: the plan of its baseline, not of its candidate.")
@shape_option
@backend_option
@threads_option
@trust_option
@json_option
def inspect(
    model: str,
    layers: bool,
    baseline: bool,
    shapes: tuple[str, ...],
    backend: str | None,
    threads: int | None,
    trust: bool,
    as_json: bool,
) -> int:
    """Inputs, outputs, parameters, zeros, MACs and operators of a model, and what a backend would refuse.

    Of a plan, or of a run's: who built it and for what, and its layers with precision, time and origin, those that only
    reformat and FP32 islands named.
    """
    import msgspec

    from ...engine.api import PlanQuestion
    from ...engine.files import PLANS, is_plan
    from ...engine.report.text import facts_report
    from ...engine.spec import parse_shape

    engine = open_engine()
    sizes = dict(parse_shape(text) for text in shapes)
    path = _model_or_run(engine, model)
    if isinstance(path, str):
        side: Side = "baseline" if baseline else "candidate"
        return _layers(engine, asyncio.run(engine.plan_of(path, side)), f"{path}  {side}", as_json)
    if baseline:
        raise UsageError("--baseline is for runs", fix="name a run, or leave it out")
    if layers or is_plan(path):
        settings = backend_settings(engine, "tensorrt" if path.suffix in PLANS else backend, threads, trust=trust)
        return _layers(engine, PlanQuestion(plan=str(path), backend=settings, shapes=sizes, trust=trust), path.name, as_json)
    facts = asyncio.run(engine.inspect(path, sizes))
    if as_json:
        echo_json(msgspec.json.encode(facts))
    else:
        echo(facts_report(facts, width(), paint))
    return 0


def _model_or_run(engine: Engine, text: str) -> Path | str:
    """The path of a model or plan, or a run's id.

    Raises:
        ModelRefused: there is neither.
        StorageRefused: several runs have that in their names.
    """
    try:
        return find_model(engine, text)
    except ModelRefused as refused:
        known = asyncio.run(engine.list())
        if known and (text == "last" or any(text in run.run for run in known)):
            return asyncio.run(engine.result(text)).run
        raise refused from None


def _layers(engine: Engine, question: PlanQuestion, title: str, as_json: bool) -> int:
    """Print what is inside a plan; while another run has the board, for whom is waited."""
    import msgspec

    from ...engine.events import Note
    from ...engine.report.plan import plan_report

    line = Line(progress_stream(as_json))

    def listen(event: AnyEvent) -> None:
        if isinstance(event, Note) and event.text.startswith("waiting for"):
            line.rewrite(f" {event.text}, which has the board")

    try:
        plan = asyncio.run(engine.inspect_plan(question, listen))
    finally:
        line.erase()
    if as_json:
        echo_json(msgspec.json.encode(plan))
    else:
        echo(plan_report(plan, title, width(), paint))
    return 0


@click.command()
@json_option
def recipes(as_json: bool) -> int:
    """The recipes that ship, and your own."""
    import msgspec

    from ...engine.recipes import broken_recipes
    from ...engine.report.table import table

    engine = open_engine()
    found = engine.recipes()
    if as_json:
        echo_json(msgspec.json.encode(found))
        return 0
    echo(table([(recipe.name, recipe.title) for recipe in found], width=width(), paint=paint))
    for line in broken_recipes(engine.config):
        echo(paint(f"! {line}", "worse"))
    return 0


@click.command()
@click.option("--rebuild", is_flag=True, help="Read every run folder anew and write the index again.")
@json_option
def runs(rebuild: bool, as_json: bool) -> int:
    """All runs, the newest first."""
    import msgspec

    from ...engine.report.text import runs_report

    engine = open_engine()
    if rebuild:
        engine.index.rebuild()
    found = asyncio.run(engine.list())
    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo(runs_report(found, width(), paint))
    return 0


def overview() -> int:
    """What the workbench begins with, in lines, for a terminal that cannot be drawn on: models, runs, and what to type."""
    from ...engine.report.text import runs_report

    engine = open_engine()
    echo(f"{no_drawing()}: lines instead of the workbench, each part of which is a command as well", sys.stderr)
    models = [model.path for folder in engine.models() for model in folder.models]
    lines = [f"  {path}" for path in models] or ["  none in the folders of edgetui.toml"]
    echo("\n".join(["models", *lines]))
    echo("runs")
    echo(runs_report(asyncio.run(engine.list()), width(), paint))
    echo("`edgetui run MODEL --recipe R --dataset D`, `edgetui show RUN`, `edgetui monitor`; all commands: `edgetui --help`")
    return 0


@click.command(short_help="What a run found.")
@click.argument("run")
@click.option("--log", is_flag=True, help="Print the end of its log instead.")
@click.option(
    "--latencies", is_flag=True, help="Print how its single inferences spread instead: quartiles, outliers, a histogram."
)
@json_option
def show(run: str, log: bool, latencies: bool, as_json: bool) -> int:
    """What a run found; of one that has not ended, what is known by now."""
    from ...engine import result as documents
    from ...engine.report.text import run_report

    engine = open_engine()
    if log:
        return _log(engine, run, as_json)
    if latencies:
        return _latencies(engine, run, as_json)
    result = asyncio.run(engine.result(run))
    if as_json:
        echo_json(documents.encode(result))
    else:
        echo(run_report(result, width(), paint))
    return 0


def _log(engine: Engine, run: str, as_json: bool) -> int:
    import msgspec

    text = asyncio.run(engine.log(run)).rstrip("\n")
    lines = printed_lines(text) if text else []
    if as_json:
        echo_json(msgspec.json.encode({"run": asyncio.run(engine.result(run)).run, "log": lines}))
    else:
        echo("\n".join(lines))
    return 0


def _latencies(engine: Engine, run: str, as_json: bool) -> int:
    import msgspec

    from ...engine.report.spread import spread_report

    found = asyncio.run(engine.latencies([run]))
    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo(spread_report(found, width(), paint))
    return 0


@click.command(short_help="Runs side by side, and which to take.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--goal",
    default="",
    metavar="GOAL",
    help="fastest, smallest, least-memory or least-energy; with drop=0.02 (top-1 that may be lost) or top1=0.80 (the least).",
)
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@json_option
def compare(runs: tuple[str, ...], goal: str, markdown: bool, as_json: bool) -> int:
    """Runs side by side with their baseline, and which to take."""
    import msgspec

    from ...engine.report.markdown import table
    from ...engine.report.text import comparison_report

    engine = open_engine()
    found = asyncio.run(engine.compare(runs, goal))
    if as_json or not markdown:
        found = msgspec.structs.replace(found, latencies=asyncio.run(engine.latencies(runs)))
    if as_json:
        echo_json(msgspec.json.encode(found))
    elif markdown:
        echo("\n".join([table(found), "", *(f"- {line}" for line in found.advice)]))
    else:
        echo(comparison_report(found, width(), paint))
    return 0


@click.command(short_help="Copy a run out with a report; or a recording as CSV or JSON.")
@click.argument("run", metavar="RUN|RECORDING")
@click.option(
    "--to",
    "target",
    required=True,
    metavar="DIR|FILE",
    type=click.Path(path_type=Path),
    help="A new folder; a new .csv or .json.",
)
@json_option
def export(run: str, target: Path, as_json: bool) -> int:
    """Copy a run out: report.md, result.json, figures.csv, its recipe and the files it made.

    Of a recording, or a log of tegrastats: all samples, as a table (--to FILE.csv) or one document (--to FILE.json).
    """
    import msgspec

    engine = open_engine()
    target = typed_path(str(target))
    if typed_path(run).is_file():
        samples, notes = engine.export_recording(typed_path(run), target)
        echo_notes(notes)
        if as_json:
            echo_json(msgspec.json.encode({"recording": run, "samples": samples, "files": [str(target)]}))
        else:
            echo(f"{target}  {samples} samples")
        return 0
    from ...engine.report.export import export as write

    result = asyncio.run(engine.result(run))
    files = write(result, engine.home / "runs" / result.run, target)
    if as_json:
        echo_json(msgspec.json.encode({"run": result.run, "files": [str(path) for path in files]}))
    else:
        echo("\n".join(str(path) for path in files))
    return 0
