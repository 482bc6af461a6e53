"""Runs: start one, follow it, end it, take it up again; and the demo, which is two of them and their comparison."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ...engine.errors import UsageError
from ...engine.report.table import paragraph
from .completion import files, run_names
from .follow import INTERRUPTED, RUN_KEYS, TERMINATED, WATCH_KEYS, Ending, follower, listening, progress_stream
from .meant import meant
from .options import make_spec, on_option, refuse_beside, run_options, train_on_option
from .printing import echo, echo_error, echo_json, json_option, open_engine, paint, width
from .search_table import end_search, follow_search
from .study_table import end_study, follow_study, print_study
from .sweep_table import follow_or_end, print_sweep
from .watch_driven import watch_driven

if TYPE_CHECKING:
    from ...engine.api import Engine
    from ...engine.schema.result import Result
    from ...engine.schema.spec import RunSpec

DEMO_RECIPES = ("int8", "prune-5-fp16")


@click.command("run", short_help="Compress MODEL by recipes, measure it beside the original.")
@click.argument("model", shell_complete=files)
@run_options
@click.option("--detach", is_flag=True, help="Start it, print its id, and come back.")
@click.option("--dry-run", is_flag=True, help="Only say what will happen.")
@click.option(
    "--after", default="", metavar="RUN|GROUP", shell_complete=run_names, help="Begin once this has ended well; else never."
)
@on_option
@train_on_option
@click.option("--again", is_flag=True, help="With --on or --train-on: anew, whatever the boards have done of it.")
@json_option
def run_command(
    model: str,
    recipes: tuple[str, ...],
    detach: bool,
    dry_run: bool,
    after: str,
    on: str | None,
    train_on: str | None,
    again: bool,
    as_json: bool,
    **flags: object,
) -> int:
    """Compress MODEL by a recipe and measure it beside the original; by several, all in turns.

    On a terminal, `d` leaves the run going and Ctrl+C cancels it. A run goes on when the terminal is closed.
    """
    from ...engine.advice.forecast import refuse_without_samples

    engine = open_engine()
    specs = [make_spec(engine, model, recipe=recipe, **flags) for recipe in recipes or (None,)]  # type: ignore[arg-type]
    if on is not None:
        refuse_beside("on", detach=detach, dry_run=dry_run)
        if after:
            raise UsageError("--after is for runs here", fix="leave it out; each board does one run after another")
        from .on_boards import run_on_boards

        return asyncio.run(run_on_boards(engine, specs, on, train_on=train_on or "", again=again, as_json=as_json))
    if again and not train_on:
        raise UsageError("--again is for --on and --train-on", fix="leave it out: a run here is always a new one")
    if train_on:
        refuse_beside("train-on", dry_run=dry_run)
    if dry_run:
        return asyncio.run(_dry_run(engine, specs, as_json))
    for spec in specs:
        refuse_without_samples(spec)
    if train_on:
        return asyncio.run(_trained_and_start(engine, specs, after, train_on, again=again, detach=detach, as_json=as_json))
    return asyncio.run(_start(engine, specs, after, detach, as_json))


async def _trained_and_start(
    engine: Engine, specs: Sequence[RunSpec], after: str, train_on: str, *, again: bool, detach: bool, as_json: bool
) -> int:
    """Runs here of what a board trains before."""
    from .on_boards import left_to_boards, trained_on

    trained, ending = await trained_on(engine, specs, train_on, again=again, as_json=as_json)
    return left_to_boards(ending) if ending != "ended" else await _start(engine, trained, after, detach, as_json)


async def _dry_run(engine: Engine, specs: Sequence[RunSpec], as_json: bool) -> int:
    import msgspec

    from ...engine.report.text import forecast_report

    found = [await engine.foresee(spec) for spec in specs]
    if as_json:
        echo_json(together([msgspec.json.encode(each) for each in found]))
    else:
        heads = [f"{paint(spec.recipe.name, 'head')}\n" if len(specs) > 1 else "" for spec in specs]
        reports = [forecast_report(each, width(), paint) for each in found]
        echo("\n\n".join(head + report for head, report in zip(heads, reports, strict=True)))
    return 1 if any(each.errors for each in found) else 0


async def _start(engine: Engine, specs: Sequence[RunSpec], after: str, detach: bool, as_json: bool) -> int:
    from ...engine.advice.forecast import cannot_win

    with listening() as asked:
        runs = await engine.submit_all(specs, after)
        engine.ask_no_more()
        if not detach:
            if not as_json:
                for run, spec in zip(runs, specs, strict=True):
                    echo(paint(f"run {run}", "head"))
                    for line in cannot_win(spec.recipe, spec.backend):
                        echo(paint(paragraph(f" ! {line}", width()), "worse"))
            ending = await (await follower(engine, runs, as_json, RUN_KEYS)).follow(asked)
    if not detach:
        return await _finish(engine, runs, ending, as_json)
    if as_json:
        await _print_documents(engine, runs)
    else:
        for run in runs:
            echo(run)
        one = await _one_word_for(engine, runs)
        echo(f"it goes on by itself; `edgetui watch {one}` follows it", sys.stderr)
    return 0


async def _one_word_for(engine: Engine, runs: Sequence[str]) -> str:
    """What names all of them: the run, or their group where they are all of it."""
    if len(runs) == 1:
        return runs[0]
    return (await engine.result(runs[0])).group or " ".join(runs)


async def _finish(engine: Engine, runs: Sequence[str], ending: Ending, as_json: bool) -> int:
    """What follows the following of runs that are ours: their report or errors; Ctrl+C cancels them."""
    if ending == "ended":
        return await _print_results(engine, runs, as_json)
    return await leave(engine, runs, ending, as_json)


async def leave(engine: Engine, runs: Sequence[str], ending: Ending, as_json: bool) -> int:
    """Cancel runs after Ctrl+C, or say that they go on; returns the exit status."""
    one = await _one_word_for(engine, runs)
    if ending == "interrupted":
        await engine.cancel(one)
    if as_json:
        await _print_documents(engine, runs)
    if ending == "interrupted":
        return _cancelled(one)
    echo(f"run {one} goes on; `edgetui watch {one}` follows it", sys.stderr)
    return 0 if ending == "left" else TERMINATED


def _cancelled(run: str) -> int:
    echo(f"cancelled; `edgetui resume {run}` takes it up again", sys.stderr)
    return INTERRUPTED


def together(documents: Sequence[bytes]) -> bytes:
    """A document; several as `{"runs": [...]}`."""
    return documents[0] if len(documents) == 1 else b'{"runs":[' + b",".join(documents) + b"]}"


async def _print_documents(engine: Engine, runs: Sequence[str]) -> list[Result]:
    """What is known of runs by now, as one document."""
    from ...engine.schema import result as documents

    results = [await engine.result(run) for run in runs]
    echo_json(together([documents.encode(result) for result in results]))
    return results


async def _print_results(engine: Engine, runs: Sequence[str], as_json: bool) -> int:
    """The document or the report; 1 and an error where a run did not end well."""
    from ...engine.report.text import comparison_report, ending_report

    if as_json:
        return max(map(ended_well, await _print_documents(engine, runs)))
    results = [await engine.result(run) for run in runs]
    done = [result for result in results if result.state == "done"]
    if len(results) == 1 and done:
        echo("\n" + ending_report(done[0], width(), paint))
    elif done:
        echo("\n" + comparison_report(await engine.compare([result.run for result in done]), width(), paint))
        for warning in dict.fromkeys(warning for result in done for warning in result.warnings):
            echo(paint(paragraph(f"! {warning}", width()), "worse"))
        echo("\n" + "\n".join(f"more  edgetui show {result.run}" for result in done))
    return max(map(ended_well, results))


def ended_well(result: Result) -> int:
    """0; 1 with the run's error on standard error; what Ctrl+C gives where it was cancelled, from here or elsewhere."""
    if result.state in ("done", "running", "queued"):
        return 0
    if result.state == "cancelled":
        return _cancelled(result.run)
    failure = result.error
    if failure is not None:
        echo_error(f"{failure.stage}: {failure.refusal}" if failure.stage else str(failure.refusal))
    else:
        echo_error(f"run {result.run} was {result.state}; `edgetui resume {result.run}` takes it up again")
    return 1


@click.command(short_help="Follow a run that is going, a group, a search, a sweep, or a study.")
@click.argument("run", metavar="RUN|GROUP|SEARCH|SWEEP|STUDY", shell_complete=run_names)
@json_option
def watch(run: str, as_json: bool) -> int:
    """Follow a run, or a search, a sweep, a study, from its beginning. Ctrl+C stops watching; it goes on."""
    return asyncio.run(_watch(open_engine(), run, as_json))


async def _watch(engine: Engine, run: str, as_json: bool) -> int:
    kind, driven = await meant(engine, run)
    if kind is not None:
        return await watch_driven(engine, kind, driven, as_json)
    runs = await engine.members(run)
    with listening() as asked:
        ending = await (await follower(engine, runs, as_json, WATCH_KEYS)).follow(asked)
    if ending != "ended":
        if as_json:
            await _print_documents(engine, runs)
        echo(f"run {await _one_word_for(engine, runs)} goes on", sys.stderr)
        return TERMINATED if ending == "terminated" else 0
    return await _print_results(engine, runs, as_json)


@click.command(short_help="End a run, a group, a search, a sweep, or a study.")
@click.argument("run", metavar="RUN|GROUP|SEARCH|SWEEP|STUDY", shell_complete=run_names)
@json_option
def cancel(run: str, as_json: bool) -> int:
    """End a run; those that were started with it go on. What its finished stages made is kept for `resume`."""
    return asyncio.run(_cancel(open_engine(), run, as_json))


async def _cancel(engine: Engine, run: str, as_json: bool) -> int:
    kind, driven = await meant(engine, run)
    if kind == "sweep":
        await engine.end_sweep(driven)
        return await print_sweep(engine, driven, "ended", None, as_json)
    if kind == "search":
        return await end_search(engine, driven, as_json)
    if kind == "study":
        return await end_study(engine, driven, as_json)
    runs = await engine.members(run)
    await engine.cancel(run)
    if as_json:
        await _print_documents(engine, runs)
    else:
        for name in runs:
            result = await engine.result(name)
            echo(f"run {result.run} is {result.state}")
    return 0


@click.command(short_help="Take up a run that did not end well, a group, a search, a sweep, or a study.")
@click.argument("run", metavar="RUN|GROUP|SEARCH|SWEEP|STUDY", shell_complete=run_names)
@click.option("--detach", is_flag=True, help="Start it again, and come back.")
@json_option
def resume(run: str, detach: bool, as_json: bool) -> int:
    """Take up a run that was cancelled, failed or interrupted; its finished stages come from the cache.

    Of a group all that did not end well, together.
    """
    return asyncio.run(_resume(open_engine(), run, detach, as_json))


async def _resume(engine: Engine, run: str, detach: bool, as_json: bool) -> int:
    kind, driven = await meant(engine, run)
    if kind == "sweep":
        return await _resume_sweep(engine, driven, detach, as_json)
    if kind == "search":
        with listening() as asked:
            return await follow_search(engine, driven, await engine.resume_search(driven), asked, detach, as_json)
    if kind == "study":
        return await _resume_study(engine, driven, detach, as_json)
    with listening() as asked:
        runs = await engine.resume(run)
        if not detach:
            ending = await (await follower(engine, runs, as_json, RUN_KEYS)).follow(asked)
    if not detach:
        return await _finish(engine, runs, ending, as_json)
    if as_json:
        return await _print_results(engine, runs, as_json=True)
    echo("\n".join(runs))
    return 0


async def _resume_sweep(engine: Engine, sweep: str, detach: bool, as_json: bool) -> int:
    with listening() as asked:
        await engine.resume_sweep(sweep)
        ending: Ending = "left" if detach else await follow_or_end(engine, sweep, asked, progress_stream(as_json))
    return await print_sweep(engine, sweep, ending, None, as_json)


async def _resume_study(engine: Engine, study: str, detach: bool, as_json: bool) -> int:
    with listening() as asked:
        await engine.resume_study(study)
        ending: Ending = "left" if detach else await follow_study(engine, study, asked, as_json)
    return await print_study(engine, study, ending, as_json)


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
            engine.ask_no_more()
            if not as_json:
                echo("\n" + paint(f"{recipe}: {spec.recipe.title}", "head"))
            ending = await (await follower(engine, [run], as_json, RUN_KEYS)).follow(asked)
        if ending != "ended":
            return await leave(engine, [run], ending, as_json)
        result = await engine.result(run)
        if result.state != "done":
            return ended_well((await _print_documents(engine, [run]))[0] if as_json else result)
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
