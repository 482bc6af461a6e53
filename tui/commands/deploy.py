"""Putting what a run made to use: where it lies, or into a folder here or at the other end of ssh."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from ...engine.advice.words import size
from ...engine.errors import UsageError
from ...engine.report.table import paragraph
from .completion import artifact_names, place_names, run_names
from .follow import StatusLine, progress_stream
from .printing import echo, echo_json, json_option, open_engine, paint, width
from .query import GoalOption

if TYPE_CHECKING:
    from ...engine.api import Engine
    from ...engine.front.deploying import Answer
    from ...engine.schema.deployment import Deployment

_TONES = {"replaced": "worse", "differs there": "worse", "was there": "dim", "copied": "better"}


@click.command(short_help="Copy what a run made to a folder here, or to a host by ssh.")
@click.argument("run", shell_complete=run_names)
@click.option(
    "--to",
    default="",
    metavar="FOLDER|HOST:FOLDER",
    shell_complete=place_names,
    help="Where; HOST is a board of fleet.toml, or as ssh takes it.",
)
@click.option(
    "--file",
    "artifacts",
    multiple=True,
    metavar="WORD",
    shell_complete=artifact_names,
    help="This artifact alone (onnx, plan, onnx_tensorrt); may be repeated.",
)
@click.option("--replace", is_flag=True, help="Also in place of a file that is another.")
@click.option("--dry-run", is_flag=True, help="Only look there, and say what would be copied.")
@click.option("--goal", default="", metavar="GOAL", cls=GoalOption, help="What is wanted most, within which limits.")
@json_option
def deploy(run: str, to: str, artifacts: tuple[str, ...], replace: bool, dry_run: bool, goal: str, as_json: bool) -> int:
    """Copy the plan that a run made, what built it and the file it was built of; each is held against its hash there.

    Without --to: where they lie here. What the verdict does not take, and a plan for another GPU or TensorRT than are there, is
    said before. A copy that was cut off goes on where it was.
    """
    if not to and (replace or dry_run):
        raise UsageError(f"{'--replace' if replace else '--dry-run'} without a place", fix="say where with --to")
    return asyncio.run(
        _deploy(open_engine(), run, to, artifacts, goal, "stop" if dry_run else "replace" if replace else "go", as_json)
    )


async def _deploy(
    engine: Engine, run: str, to: str, artifacts: tuple[str, ...], goal: str, answer: Answer, as_json: bool
) -> int:
    import msgspec

    found = await engine.deployable(run, artifacts, goal)
    if to:
        line = StatusLine(progress_stream(as_json))

        async def seen(looked: Deployment) -> Answer:
            if answer != "stop":
                _warn(looked)
            return answer

        def told(name: str, done: int, whole: int) -> None:
            line.rewrite(f" ▶ {name}  {size(done)} of {size(whole)}", done / whole if whole else 1.0)

        try:
            found = await engine.deploy(found, to, seen, told)
        finally:
            line.erase()
    if as_json:
        echo_json(msgspec.json.encode(found))
        return 0
    if not to or answer == "stop":
        _warn(found)
    if not to:
        for file in found.files:
            echo(
                f"{file.path}  {paint(f'{size(file.bytes)}  sha256 {file.sha256[:12]}', 'dim')}"
            )  # never wrapped: to be copied
        return 0
    rows = [(file.name, size(file.bytes), file.sha256[:12], file.state) for file in found.files]
    tones = [("", "", "dim", _TONES.get(file.state, "")) for file in found.files]
    echo(paint.table(rows, width=width(), right=(1,), tones=tones))
    new = ", a new folder" if found.made_folder else ""
    echo(f"{'would go to' if answer == 'stop' else 'in'} {found.to}{new}")
    return 0


def _warn(found: Deployment) -> None:
    """What speaks against it, on standard error, so that a document stays one."""
    for note in found.notes:
        echo(paragraph(f"! {note}", width()), sys.stderr)
