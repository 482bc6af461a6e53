"""What is there: models, recipes, runs and their results; nothing here starts a run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...engine.config import typed_path
from ...engine.errors import ModelRefused, UsageError
from ...engine.report.sanitize import printed_lines
from ...engine.report.table import paragraph
from ..terminal import no_drawing
from .completion import field_names, run_names, run_or_file
from .follow import StatusLine, progress_stream
from .meant import meant
from .options import backend_option, backend_settings, find_model, shape_option, threads_option, trust_option
from .printing import echo, echo_json, echo_notes, json_option, open_engine, paint, width
from .run import together
from .search_table import print_search
from .study_table import print_study
from .sweep_table import print_sweep

if TYPE_CHECKING:
    from ...engine.api import Engine, PlanQuestion, Side
    from ...engine.schema.events import AnyEvent


@click.command(short_help="What is in MODEL, what a backend would refuse; the layers of a plan.")
@click.argument("model", metavar="MODEL|PLAN|RUN", shell_complete=run_or_file)
@click.option("--layers", is_flag=True, help="Of a model: build a plan of it, and time its layers.")
@click.option("--baseline", is_flag=True, help="Of a run: the plan of its baseline, not of its candidate.")
@click.option("--second", is_flag=True, help="Of a run with two plans (adaptive): the one of higher precision.")
@shape_option
@backend_option
@threads_option
@trust_option
@json_option
def inspect(
    model: str,
    layers: bool,
    baseline: bool,
    second: bool,
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

    from ...engine.api import PlanQuestion, sides_of
    from ...engine.library.models import backend_of, is_plan
    from ...engine.report.text import facts_report
    from ...engine.schema.spec import parse_shape

    if baseline and second:
        raise UsageError("--baseline and --second are two plans", fix="leave one out")
    engine = open_engine()
    sizes = dict(parse_shape(text) for text in shapes)
    path = _model_or_run(engine, model)
    if isinstance(path, str):
        side: Side = "baseline" if baseline else "second" if second else "candidate"
        status = _layers(engine, asyncio.run(engine.plan_of(path, side)), f"{path}  {side}", as_json)
        if side == "candidate" and not as_json and "second" in sides_of(asyncio.run(engine.result(path))):
            echo(paragraph("This is the first of two plans, INT8; --second looks into the other.", width()))
        return status
    if baseline or second:
        raise UsageError(f"{'--baseline' if baseline else '--second'} is for runs", fix="name a run, or leave it out")
    if layers or is_plan(path):
        settings = backend_settings(engine, backend_of(path, backend), threads, trust=trust)
        return _layers(engine, PlanQuestion(plan=str(path), backend=settings, shapes=sizes), path.name, as_json)
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

    from ...engine.report.plan_report import plan_report

    line = StatusLine(progress_stream(as_json))
    try:
        plan = asyncio.run(engine.inspect_plan(question, waiting_on(line)))
    finally:
        line.erase()
    if as_json:
        echo_json(msgspec.json.encode(plan))
    else:
        echo(plan_report(plan, title, width(), paint))
    return 0


def waiting_on(line: StatusLine) -> Callable[[AnyEvent], None]:
    """What says on a line for whom is waited."""
    from ...engine.advice.words import waits
    from ...engine.schema.events import Queued

    def listen(event: AnyEvent) -> None:
        if isinstance(event, Queued):
            line.rewrite(f" waiting: {waits(event)}")

    return listen


@click.command()
@json_option
def recipes(as_json: bool) -> int:
    """The recipes that ship, and your own."""
    import msgspec

    from ...engine.library.recipes import broken_recipes

    engine = open_engine()
    found = engine.recipes()
    if as_json:
        echo_json(msgspec.json.encode(found))
        return 0
    echo(paint.table([(recipe.name, recipe.title) for recipe in found], width=width()))
    for line in broken_recipes(engine.config):
        echo(paint(f"! {line}", "worse"))
    return 0


class FilterOption(click.Option):
    """An option whose help is the filter's own; read when help is asked for, so that others need not load it."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help."""
        from ...engine.advice.run_filter import HELP

        self.help = f"Those alone of which all words are so: {HELP}. Quote it."
        return super().get_help_record(ctx)


@click.command(short_help="All runs, the newest first, or those that are asked for.")
@click.option("--where", default="", metavar="FILTER", cls=FilterOption, help="Those alone of which all words are so.")
@click.option(
    "--sort",
    default="began",
    metavar="FIELD",
    shell_complete=field_names,
    help="By a field, the best or newest first; -FIELD turns it round.",
)
@click.option("--rebuild", is_flag=True, help="Read every run folder anew and write the index again.")
@json_option
def runs(where: str, sort: str, rebuild: bool, as_json: bool) -> int:
    """All runs, the newest first; --where and --sort go by any field: recipe, top1, latency_ms, took, tag and the others."""
    import msgspec

    from ...engine.advice.run_filter import RunFilter, RunOrder
    from ...engine.report.text import runs_report

    wanted, order = RunFilter(where), RunOrder(sort)
    engine = open_engine()
    if rebuild:
        engine.index.rebuild()
    known = asyncio.run(engine.list())
    found = tuple(order.sort(wanted.kept(known)))
    if as_json:
        echo_json(msgspec.json.encode(found))
    elif known and not found:
        echo(f"none of {len(known)} runs is so: {wanted.text}")
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


@click.command(short_help="What a run found, or each of a group.")
@click.argument("run", metavar="RUN|GROUP|SEARCH|SWEEP|STUDY", shell_complete=run_names)
@click.option("--log", is_flag=True, help="Print the end of its log instead.")
@click.option(
    "--latencies", is_flag=True, help="Print how its single inferences spread instead: quartiles, outliers, a histogram."
)
@json_option
def show(run: str, log: bool, latencies: bool, as_json: bool) -> int:
    """What a run found; of one that has not ended, what is known by now."""
    from ...engine.report.text import run_report
    from ...engine.schema import result as documents

    engine = open_engine()
    kind, driven = (None, "") if log or latencies else asyncio.run(meant(engine, run))
    if kind == "sweep":
        return asyncio.run(print_sweep(engine, driven, "ended", None, as_json))
    if kind == "search":
        return asyncio.run(print_search(engine, driven, as_json))
    if kind == "study":
        return asyncio.run(print_study(engine, driven, "ended", as_json))
    if log:
        return _log(engine, run, as_json)
    if latencies:
        return _latencies(engine, run, as_json)
    results = [asyncio.run(engine.result(name)) for name in asyncio.run(engine.members(run))]
    if as_json:
        echo_json(together([documents.encode(result) for result in results]))
    else:
        echo("\n\n".join(run_report(result, width(), paint) for result in results))
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

    from ...engine.report.spread_table import spread_report

    found = asyncio.run(engine.latencies([run]))
    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo(spread_report(found, width(), paint))
    return 0


class GoalOption(click.Option):
    """An option whose help is what the metrics offer; it is read when help is asked for, so that others need not load it."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help."""
        from ...engine.advice.goals import goal_help

        self.help = goal_help()
        return super().get_help_record(ctx)


class FrontOption(click.Option):
    """The same of the axes that a front may be over."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help."""
        from ...engine.advice.pareto import AXES

        self.help = f"Two axes or more that the front is over: {', '.join(AXES)}."
        return super().get_help_record(ctx)


@click.command(short_help="Runs side by side, and which to take.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=run_names)
@click.option(
    "--goal",
    default="",
    metavar="GOAL",
    cls=GoalOption,
    help="What is wanted most, within which limits.",
)
@click.option("--front", default="", metavar="AXES", cls=FrontOption, help="What the front is over.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@json_option
def compare(runs: tuple[str, ...], goal: str, front: str, markdown: bool, as_json: bool) -> int:
    """Runs side by side with their baseline, and which to take."""
    import msgspec

    from ...engine.report.markdown import table
    from ...engine.report.text import comparison_report

    engine = open_engine()
    found = asyncio.run(engine.compare(runs, goal, front))
    if as_json or not markdown:
        found = msgspec.structs.replace(found, latencies=asyncio.run(engine.latencies(runs)))
    if as_json:
        echo_json(msgspec.json.encode(found))
    elif markdown:
        warned = [f"- warning: {line}" for line in found.warnings]
        echo("\n".join([table(found), "", *warned, *(f"- {line}" for line in found.advice)]))
    else:
        echo(comparison_report(found, width(), paint))
    return 0


@click.command(short_help="A report of runs as a folder; or a recording as CSV or JSON.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...|RECORDING", shell_complete=run_or_file)
@click.option(
    "--to",
    "target",
    required=True,
    metavar="DIR|FILE",
    type=click.Path(path_type=Path),
    help="A new folder; a new .csv or .json.",
)
@click.option("--goal", default="", metavar="GOAL", cls=GoalOption, help="What is wanted most, within which limits.")
@click.option("--layers", is_flag=True, help="Look into the plans as well, once nothing else measures.")
@click.option("--mlflow", default="", metavar="URI", help="Log the runs there as well, where mlflow is installed.")
@json_option
def export(runs: tuple[str, ...], target: Path, goal: str, layers: bool, mlflow: str, as_json: bool) -> int:
    """Write a report of runs: report.html (one page, nothing in it is fetched), report.md, report.json, figures.csv, and of
    each run result.json, its recipe and the files it made.

    All figures are computed again from the raw samples. Several runs stand side by side.

    Of a recording, or a log of tegrastats: all samples, as a table (--to FILE.csv) or one document (--to FILE.json).
    """
    import msgspec

    engine = open_engine()
    target = typed_path(str(target))
    if typed_path(runs[0]).is_file():
        return _export_recording(engine, runs, target, as_json)
    line = StatusLine(progress_stream(as_json))
    try:
        found = asyncio.run(engine.export(runs, target, goal, layers=layers, mlflow=mlflow, listen=waiting_on(line)))
    finally:
        line.erase()
    for run, paths in found.different.items():
        echo(f"warning: {len(paths)} figures of {run} are not what its raw samples give: {', '.join(paths[:3])}", sys.stderr)
    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo("\n".join([*found.files, *(f"mlflow run {each}" for each in found.mlflow)]))
    return 0


def _export_recording(engine: Engine, words: tuple[str, ...], target: Path, as_json: bool) -> int:
    import msgspec

    if len(words) > 1:
        raise UsageError("recordings are exported one by one", fix="name one")
    samples, notes = engine.export_recording(typed_path(words[0]), target)
    echo_notes(notes)
    if as_json:
        echo_json(msgspec.json.encode({"recording": words[0], "samples": samples, "files": [str(target)]}))
    else:
        echo(f"{target}  {samples} samples")
    return 0
