"""`edgetui dataset`: what is in a dataset, how a model is fed with it, and the file that describes it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...engine.errors import UsageError
from .completion import dataset_names, files
from .follow import StatusLine, progress_stream
from .options import find_model, shape_option
from .printing import echo, echo_error, echo_json, json_option, open_engine, paint, width

if TYPE_CHECKING:
    from ...engine.api import DatasetQuestion, Engine
    from ...engine.schema.dataset_probe import DatasetProbe
    from ...engine.schema.events import AnyEvent


@click.command(short_help="What is in a dataset, how MODEL is fed with it, and its description as a file.")
@click.argument("path", metavar="PATH", shell_complete=dataset_names)
@click.option("--model", metavar="MODEL", shell_complete=files, help="Say what of it fits, and try the usual ways to feed it.")
@shape_option
@click.option(
    "--samples",
    type=click.IntRange(32, 100_000),
    metavar="N",
    help="Tried in each way; without it as many as some 12 seconds allow, 300 at most.",
)
@click.option("--out", metavar="FILE.toml", type=click.Path(path_type=Path), help="Write the description there.")
@click.option("--force", is_flag=True, help="With --out: write over a file that is there.")
@json_option
def dataset(
    path: str,
    model: str | None,
    shapes: tuple[str, ...],
    samples: int | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Look into PATH: a folder or zip of images, an .npz, a .tsv of texts, or a TOML file that describes one.

    Says how many samples of which classes, sizes and colours there are, with some of them. With --model: whether they fit, and
    FP32's accuracy on some of them with each of the usual preprocessings. The best is proposed; where none is better than
    guessing, that is said.
    """
    from ...engine.api import DatasetQuestion
    from ...engine.config import typed_path
    from ...engine.library.dataset_file import refuse_taken
    from ...engine.schema.spec import parse_shape

    if (force or shapes or samples) and not (model or out):
        raise UsageError("nothing is tried or written", fix="add --model MODEL or --out FILE.toml")
    file = typed_path(str(out)) if out is not None else None
    if file is not None:
        refuse_taken(file, over=force)
    engine = open_engine()
    question = DatasetQuestion(
        dataset=engine.dataset_parts(path),
        model=str(find_model(engine, model)) if model else "",
        shapes=dict(parse_shape(text) for text in shapes),
        samples=samples or 0,
    )
    found = asyncio.run(_probed(engine, question, as_json))
    return _told(found, file, force=force, as_json=as_json)


async def _probed(engine: Engine, question: DatasetQuestion, as_json: bool) -> DatasetProbe:
    from ...engine.schema.events import Progress

    line = StatusLine(progress_stream(as_json))

    def listen(event: AnyEvent) -> None:
        if isinstance(event, Progress) and event.total:
            line.rewrite(f" ▶ {event.done:g} of {event.total:g} {event.text}", event.done / event.total)

    try:
        return await engine.probe_dataset(question, listen)
    finally:
        line.erase()


def _told(found: DatasetProbe, file: Path | None, *, force: bool, as_json: bool) -> int:
    """Print what was found, and write it where that is asked and what was found fits; the exit status."""
    import msgspec

    from ...engine.library.dataset_file import dataset_toml, write_dataset
    from ...engine.report.dataset_report import dataset_report

    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        toml = dataset_toml(found.dataset, file or Path.cwd() / f"{found.dataset.name}.toml")
        echo(dataset_report(found, toml, width(), paint))
    if found.refusals:
        echo_error(str(found.refusals[0]))
        return 1
    if file is not None:
        write_dataset(found.dataset, file, over=force)
        if not as_json:
            echo(f"\nwritten: {file}")
    elif not as_json:
        echo(paint("\nnothing is written; --out FILE.toml writes this", "dim"))
    return 0
