"""Parts of a run on their own: build a plan without measuring it, time a model or plan without compressing it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...engine.advice import words
from ...engine.schema.events import AnyEvent, Reading
from .completion import files, recipe_names
from .follow import RUN_KEYS, StatusLine, follower, listening, progress_stream
from .options import (
    backend_options,
    backend_settings,
    data_options,
    find_model,
    make_spec,
    preset_option,
    shape_option,
    trust_option,
    workload_option,
)
from .printing import echo, echo_json, json_option, open_engine, paint, width
from .run import ended_well, leave

if TYPE_CHECKING:
    from ...engine.api import BenchQuestion, Engine
    from ...engine.schema.spec import RunSpec


@click.command(short_help="Compress, lower and build, without measuring.")
@click.argument("model", shell_complete=files)
@click.option("--recipe", "-r", metavar="R", shell_complete=recipe_names, help="A recipe; without it MODEL is built as it is.")
@data_options
@backend_options
@shape_option
@click.option(
    "--target", default="", metavar="sm_86", help="Build a TensorRT plan for this kind of GPU, which need not be here."
)
@click.option("--out", "folder", required=True, metavar="DIR", type=click.Path(path_type=Path), help="A new folder.")
@json_option
def build(model: str, recipe: str | None, folder: Path, as_json: bool, **flags: object) -> int:
    """Compress MODEL, lower it for the backend and build the plan, without measuring."""
    from ...engine.advice.forecast import refuse_without_samples
    from ...engine.config import typed_path
    from ...engine.report.run_export import refuse_full
    from ...engine.schema.steps import Recipe

    folder = typed_path(str(folder))
    refuse_full(folder)
    engine = open_engine()
    chosen = recipe or Recipe(name="fp32", title="The model as it is")
    spec = make_spec(engine, model, recipe=chosen, workload="flat-out", preset=None, measure=False, **flags)  # type: ignore[arg-type]
    refuse_without_samples(spec)
    return asyncio.run(_build(engine, spec, folder, as_json))


async def _build(engine: Engine, spec: RunSpec, folder: Path, as_json: bool) -> int:
    from ...engine.report.run_export import copy_artifacts
    from ...engine.report.text import ruin_lines, warning_lines
    from ...engine.schema import result as documents

    with listening() as asked:
        run = await engine.submit(spec)
        engine.ask_no_more()
        ending = await (await follower(engine, [run], as_json, RUN_KEYS)).follow(asked)
    if ending != "ended":
        return await leave(engine, [run], ending, as_json)
    result = await engine.result(run)
    files = copy_artifacts(result, folder) if result.state == "done" else ()
    if as_json:
        echo_json(documents.encode(result))
    else:
        for line in (*ruin_lines(result, width(), paint), *warning_lines(result, width(), paint)):
            echo(line)
    if files and not as_json:
        echo("\n" + "\n".join(str(path) for path in files))
    return ended_well(result)


@click.command(short_help="Time a model or plan as it is.")
@click.argument("model_or_plan", shell_complete=files)
@backend_options
@preset_option
@workload_option
@shape_option
@trust_option
@json_option
def bench(
    model_or_plan: str,
    backend: str | None,
    threads: int | None,
    mode: str | None,
    device: str | None,
    preset: str | None,
    workload: str,
    shapes: tuple[str, ...],
    trust: bool,
    as_json: bool,
) -> int:
    """Time a model or a plan as it is: latency, load, first inference, memory."""
    from ...engine.api import BenchQuestion
    from ...engine.library.models import backend_of
    from ...engine.schema.spec import parse_shape
    from ...engine.schema.workloads import parse_workload

    engine = open_engine()
    path = find_model(engine, model_or_plan)
    question = BenchQuestion(
        model=str(path),
        shapes=dict(parse_shape(text) for text in shapes),
        backend=backend_settings(engine, backend_of(path, backend), threads, mode, device, trust=trust),
        workload=parse_workload(workload),
        preset=preset or engine.config.defaults.preset,  # type: ignore[arg-type]
    )
    return asyncio.run(_bench(engine, question, as_json))


async def _bench(engine: Engine, question: BenchQuestion, as_json: bool) -> int:
    import msgspec

    from ...engine.report.text import metrics_report

    line = StatusLine(progress_stream(as_json))

    def listen(event: AnyEvent) -> None:
        if isinstance(event, Reading):
            line.rewrite(f" ▶ {event.samples} inferences, mean {words.ms(event.mean_ms)}")

    try:
        metrics = await engine.bench(question, listen)
    finally:
        line.erase()
    if as_json:
        echo_json(msgspec.json.encode(metrics))
    else:
        echo(metrics_report(Path(question.model).name, metrics, width(), paint))
    return 0
