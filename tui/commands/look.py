"""What is there: models, recipes, runs and their results; nothing here starts a run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from .ask import PLANS, find_model, shape_option, trust_option
from .shared import echo, echo_json, json_option, open_engine, paint, width


@click.command(short_help="What is in MODEL, and what a backend would refuse.")
@click.argument("model", metavar="MODEL_OR_PLAN")
@shape_option
@trust_option
@json_option
def inspect(model: str, shapes: tuple[str, ...], trust: bool, as_json: bool) -> int:
    """Inputs, outputs, parameters, zeros, MACs and operators of a model, and what a backend would refuse.

    Of a TensorRT plan: who built it and for what; where it can be loaded its layers with their precision and time.
    """
    import msgspec

    from ...engine.report.text import facts_report
    from ...engine.spec import parse_shape

    engine = open_engine()
    path = find_model(engine, model)
    if path.suffix in PLANS:
        from ...engine.report.plan import plan_report

        plan = asyncio.run(engine.inspect_plan(path, trust))
        if as_json:
            echo_json(msgspec.json.encode(plan))
        else:
            echo(plan_report(plan, width(), paint))
        return 0
    facts = asyncio.run(engine.inspect(path, dict(parse_shape(text) for text in shapes)))
    if as_json:
        echo_json(msgspec.json.encode(facts))
    else:
        echo(facts_report(facts, width(), paint))
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


@click.command(short_help="What a run found.")
@click.argument("run")
@click.option("--log", is_flag=True, help="Print the end of its log instead.")
@json_option
def show(run: str, log: bool, as_json: bool) -> int:
    """What a run found; of one that has not ended, what is known by now."""
    from ...engine import result as documents
    from ...engine.report.text import run_report

    engine = open_engine()
    if log:
        echo(asyncio.run(engine.log(run)).rstrip("\n"))
        return 0
    result = asyncio.run(engine.result(run))
    if as_json:
        echo_json(documents.encode(result))
    else:
        echo(run_report(result, width(), paint))
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

    found = asyncio.run(open_engine().compare(runs, goal))
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
    target = target.expanduser()
    if Path(run).expanduser().is_file():
        samples = engine.export_recording(Path(run).expanduser(), target)
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
