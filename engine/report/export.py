"""A finished run as a folder that can be given away: report, result, figures, recipe and the files it made."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .. import result as documents
from ..errors import StorageRefused, from_os_error
from ..result import Result
from .flat import csv_text
from .markdown import markdown


def export(result: Result, run_folder: Path, to: Path) -> tuple[Path, ...]:
    """Write report.md, result.json, figures.csv, recipe.toml, copies of run.toml and events.jsonl, and artifacts/.

    Returns the files written. A folder that is there already must be empty.

    Raises:
        StorageRefused: the folder has something in it, cannot be written to, or the disk is full.
    """
    texts = {
        "report.md": markdown([result]),
        "result.json": msgspec.json.format(documents.encode(result), indent=2).decode() + "\n",
        "figures.csv": csv_text([result]),
    }
    if result.recipe.toml:
        texts["recipe.toml"] = result.recipe.toml
    made = [path for path in (run_folder / "artifacts").rglob("*") if path.is_file()]
    copied = [path for path in (run_folder / "run.toml", run_folder / "events.jsonl") if path.is_file()] + made
    with _whole(to):
        for name, text in texts.items():
            (to / name).write_text(text, encoding="utf-8")
        for path in copied:
            copy = to / path.relative_to(run_folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return tuple(sorted(path for path in to.rglob("*") if path.is_file()))


def copy_artifacts(result: Result, to: Path) -> tuple[Path, ...]:
    """Copy the files a run made (model, plan) into a folder; returns the copies.

    Raises:
        StorageRefused: as `export`.
    """
    sources = [Path(name) for name in result.artifacts.values()]
    with _whole(to):
        beside = [file for source in sources for file in source.parent.glob(f"{source.name}.*")]
        return tuple(Path(shutil.copyfile(file, to / file.name)) for file in dict.fromkeys(sources + beside))


@contextlib.contextmanager
def _whole(to: Path) -> Iterator[None]:
    """What is written into the folder is there whole or not at all: who tries again finds it new or empty, as it was.

    Raises:
        StorageRefused: it has something in it, cannot be written to, or the disk is full.
    """
    refuse_full(to)
    was_there = to.is_dir()
    try:
        to.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            for path in to.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if not was_there:
                to.rmdir()
        if isinstance(error, OSError):
            raise from_os_error(error, path=to) from None
        raise


def refuse_full(folder: Path) -> None:
    """Only a new or empty folder is written into.

    Raises:
        StorageRefused: there is something in it, or it is a file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageRefused(f"{folder} is there already", fix="name a new folder")
