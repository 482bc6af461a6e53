"""Runs: start one, follow it, end it, take it up again; and the demo, which is two of them and their comparison."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, TextIO

import click

from ...engine.forecast import cannot_win, refuse_without_samples
from ...engine.report.table import paragraph
from .ask import make_spec, run_options
from .follow import Ending, Follower, listening
from .shared import echo, echo_error, echo_json, json_option, open_engine, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine
    from ...engine.result import Result
    from ...engine.spec import RunSpec

INTERRUPTED, TERMINATED = 130, 143
DEMO_RECIPES = ("int8", "prune-5-fp16")
RUN_KEYS, WATCH_KEYS = "d detach · Ctrl+C cancel", "Ctrl+C stops watching"


@click.command("run", short_help="Compress MODEL by a recipe, measure it beside the original.")
@click.argument("model")
@run_options
@click.option("--detach", is_flag=True, help="Start it, print its id, and come back.")
@click.option("--dry-run", is_flag=True, help="Only say what will happen.")
@json_option
def run_command(model: str, detach: bool, dry_run: bool, as_json: bool, **flags: object) -> int:
    """Compress MODEL by a recipe and measure it beside the original.

    On a terminal, `d` leaves the run going and Ctrl+C cancels it. A run goes on when the terminal is closed.
    """
    engine = open_engine()
    spec = make_spec(engine, model, **flags)  # type: ignore[arg-type]
    if dry_run:
        return asyncio.run(_dry_run(engine, spec, as_json))
    refuse_without_samples(spec)
    return asyncio.run(_start(engine, spec, detach, as_json))


async def _dry_run(engine: Engine, spec: RunSpec, as_json: bool) -> int:
    import msgspec

    from ...engine.report.text import forecast_report

    found = await engine.foresee(spec)
    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo(forecast_report(found, width(), paint))
    return 1 if found.errors else 0


async def _start(engine: Engine, spec: RunSpec, detach: bool, as_json: bool) -> int:
    with listening() as asked:
        run = await engine.submit(spec)
        if not detach:
            if not as_json:
                echo(paint(f"run {run}", "head"))
                for line in cannot_win(spec.recipe, spec.backend):
                    echo(paint(paragraph(f" ! {line}", width()), "worse"))
            ending = await Follower(engine, run, progress_stream(as_json), RUN_KEYS).follow(asked)
    if not detach:
        return await _finish(engine, run, ending, as_json)
    if as_json:
        await _print_document(engine, run)
    else:
        echo(run)
        echo(f"it goes on by itself; `edgetui watch {run}` follows it", sys.stderr)
    return 0


def progress_stream(as_json: bool) -> TextIO | None:
    """Where progress goes: standard output, but with --json the terminal behind standard error, if there is one."""
    if not as_json:
        return sys.stdout
    return sys.stderr if sys.stderr.isatty() else None


async def _finish(engine: Engine, run: str, ending: Ending, as_json: bool) -> int:
    """What follows the following of a run that is ours: its report or error; Ctrl+C cancels it."""
    if ending == "ended":
        return await _print_result(engine, run, as_json)
    return await leave(engine, run, ending, as_json)


async def leave(engine: Engine, run: str, ending: Ending, as_json: bool) -> int:
    """Cancel a run after Ctrl+C, or say that it goes on; returns the exit status."""
    if ending == "interrupted":
        await engine.cancel(run)
    if as_json:
        await _print_document(engine, run)
    if ending == "interrupted":
        return _cancelled(run)
    echo(f"run {run} goes on; `edgetui watch {run}` follows it", sys.stderr)
    return 0 if ending == "left" else TERMINATED


def _cancelled(run: str) -> int:
    echo(f"cancelled; `edgetui resume {run}` takes it up again", sys.stderr)
    return INTERRUPTED


async def _print_document(engine: Engine, run: str) -> Result:
    """What is known of a run by now, as its document."""
    from ...engine import result as documents

    result = await engine.result(run)
    echo_json(documents.encode(result))
    return result


async def _print_result(engine: Engine, run: str, as_json: bool) -> int:
    """The document or the report; 1 and an error where the run did not end well."""
    from ...engine.report.text import ending_report

    if as_json:
        return ended_well(await _print_document(engine, run))
    result = await engine.result(run)
    if result.state == "done":
        echo("\n" + ending_report(result, width(), paint))
    return ended_well(result)


def ended_well(result: Result) -> int:
    """0; 1 with the run's error on standard error; what Ctrl+C gives where it was cancelled, from here or elsewhere."""
    if result.state in ("done", "running", "queued"):
        return 0
    if result.state == "cancelled":
        return _cancelled(result.run)
    failure = result.error
    if failure is not None:
        named = not failure.stage or failure.what.startswith(failure.stage)
        echo_error(f"{'' if named else failure.stage + ': '}{failure.what}; {failure.fix}")
    else:
        echo_error(f"run {result.run} was {result.state}; `edgetui resume {result.run}` takes it up again")
    return 1


@click.command(short_help="Follow a run that is going.")
@click.argument("run")
@json_option
def watch(run: str, as_json: bool) -> int:
    """Follow a run that is going, from its beginning. Ctrl+C stops watching; the run goes on."""
    return asyncio.run(_watch(open_engine(), run, as_json))


async def _watch(engine: Engine, run: str, as_json: bool) -> int:
    name = (await engine.result(run)).run
    with listening() as asked:
        ending = await Follower(engine, name, progress_stream(as_json), WATCH_KEYS).follow(asked)
    if ending != "ended":
        if as_json:
            await _print_document(engine, name)
        echo(f"run {name} goes on", sys.stderr)
        return TERMINATED if ending == "terminated" else 0
    return await _print_result(engine, name, as_json)


@click.command()
@click.argument("run")
@json_option
def cancel(run: str, as_json: bool) -> int:
    """End a run. What its finished stages made is kept for `resume`."""
    return asyncio.run(_cancel(open_engine(), run, as_json))


async def _cancel(engine: Engine, run: str, as_json: bool) -> int:
    await engine.cancel(run)
    if as_json:
        await _print_document(engine, run)
    else:
        result = await engine.result(run)
        echo(f"run {result.run} is {result.state}")
    return 0


@click.command(short_help="Take up a run that did not end well.")
@click.argument("run")
@click.option("--detach", is_flag=True, help="Start it again, and come back.")
@json_option
def resume(run: str, detach: bool, as_json: bool) -> int:
    """Take up a run that was cancelled, failed or interrupted; its finished stages come from the cache."""
    return asyncio.run(_resume(open_engine(), run, detach, as_json))


async def _resume(engine: Engine, run: str, detach: bool, as_json: bool) -> int:
    with listening() as asked:
        name = await engine.resume(run)
        if not detach:
            ending = await Follower(engine, name, progress_stream(as_json), RUN_KEYS).follow(asked)
    if not detach:
        return await _finish(engine, name, ending, as_json)
    if as_json:
        return await _print_result(engine, name, as_json=True)
    echo(name)
    return 0


@click.command(short_help="The whole job on a small built-in model and data.")
@json_option
def demo(as_json: bool) -> int:
    """The whole job on a small built-in model and its data: INT8, and pruning with half precision, compared."""
    return asyncio.run(_demo(open_engine(), as_json))


async def _demo(engine: Engine, as_json: bool) -> int:
    import msgspec

    from ...engine.config import PACKAGE
    from ...engine.report.text import comparison_report

    folder = PACKAGE / "profiles" / "demo"
    if not as_json:
        echo("A small network that reads handwritten digits (top-1 about 0.97), compressed in two ways and measured here.")
    runs = []
    for recipe in DEMO_RECIPES:
        spec = make_spec(
            engine,
            str(folder / "digits.onnx"),
            recipe=recipe,
            backend=None,
            dataset=str(folder / "digits.toml"),
            calibration=None,
            workload="flat-out",
            preset="quick",
            shapes=(),
            threads=None,
        )
        with listening() as asked:
            run = await engine.submit(spec)
            if not as_json:
                echo("\n" + paint(f"{recipe}: {spec.recipe.title}", "head"))
            ending = await Follower(engine, run, progress_stream(as_json), RUN_KEYS).follow(asked)
        if ending != "ended":
            return await leave(engine, run, ending, as_json)
        result = await engine.result(run)
        if result.state != "done":
            return ended_well(await _print_document(engine, run) if as_json else result)
        runs.append(run)
    found = await engine.compare(runs)
    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo("\n" + comparison_report(found, width(), paint))
        echo(
            f"\nMore of each run: `edgetui show {runs[0]}`. Your own model: `edgetui run MODEL.onnx --recipe int8 --dataset D`."
        )
        echo("The workbench: `edgetui`.")
    return 0
