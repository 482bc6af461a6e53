"""Runs as a folder that can be given away: report in three forms, results, figures, recipes and the files that they made."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import StorageRefused, from_os_error
from ..schema import result as documents
from ..schema.result import Result
from .evidence import Evidence
from .flat import csv_text
from .html_report import html_report
from .markdown import markdown


class Exported(Struct, frozen=True, kw_only=True):
    """What was written."""

    runs: tuple[str, ...]
    files: tuple[str, ...]
    different: dict[str, tuple[str, ...]] = {}
    """Of each run the figures of its result.json that are not what its raw samples give."""
    mlflow: tuple[str, ...] = ()
    """Ids of the runs that were logged there."""


def export(told: Evidence, run_folders: Sequence[Path], to: Path) -> Exported:
    """Write report.html, report.md, report.json and figures.csv; and of each run result.json as it is, recipe.toml, copies of
    run.toml and events.jsonl, and artifacts/. Several runs have a folder each, runs/NAME/.

    The folder is new, or empty: nothing that is there is written over. It is there whole or not at all.

    Raises:
        StorageRefused: the folder has something in it, cannot be written to, or the disk is full.
    """
    with whole(to) as folder:
        (folder / "report.html").write_text(html_report(told), encoding="utf-8")
        (folder / "report.md").write_text(markdown(told), encoding="utf-8")
        (folder / "figures.csv").write_text(csv_text(told.results), encoding="utf-8")
        document = {"comparison": told.comparison, "recomputed": told.recomputed, "plans": told.plans}
        _write_json(folder / "report.json", document)
        for result, source in zip(told.stored, run_folders, strict=True):
            _one(result, source, folder if len(told.stored) == 1 else folder / "runs" / source.name)
        files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return Exported(
        runs=tuple(result.run for result in told.stored),
        files=tuple(str(to / path) for path in files),
        different={found.run: tuple(f.path for f in found.different) for found in told.recomputed if found.different},
    )


def _one(result: Result, source: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    _write_json(to / "result.json", result)
    if result.recipe.toml:
        (to / "recipe.toml").write_text(result.recipe.toml, encoding="utf-8")
    inside = source.resolve()
    for path in [source / "run.toml", source / "events.jsonl", *(source / "artifacts").rglob("*")]:
        # The folder may have come from elsewhere: what its links name is not given away with it.
        if not path.is_file() or path.is_symlink() or not path.resolve().is_relative_to(inside):
            continue
        copy = to / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _write_json(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.format(documents.encode(value), indent=2) + b"\n")


def copy_artifacts(result: Result, to: Path) -> tuple[Path, ...]:
    """Copy the files a run made (model, plan) into a folder; returns the copies.

    Raises:
        StorageRefused: as `export`.
    """
    sources = [Path(name) for name in result.artifacts.values()]
    with whole(to) as folder:
        copies = [Path(shutil.copyfile(file, folder / file.name)) for file in with_beside(sources)]
    return tuple(to / copy.name for copy in copies)


def with_beside(files: Sequence[Path]) -> list[Path]:
    """Files, then those that belong to them (external data, a manifest), each once."""
    beside = [file for source in files for file in sorted(source.parent.glob(f"{glob.escape(source.name)}.*"))]
    return list(dict.fromkeys([*files, *beside]))


@contextlib.contextmanager
def whole(to: Path) -> Iterator[Path]:
    """A folder to write into, which is `to` once all is written: it is there whole or not at all, even where the power goes.
    An empty folder that is there already is written into, and empty again where that fails.

    Raises:
        StorageRefused: it has something in it, cannot be written to, or the disk is full.
    """
    refuse_full(to)
    there = to.is_dir()
    folder = to if there else to.parent / f".edgetui-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        if not there:
            folder.replace(to)
    except BaseException as error:
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if not there:
                folder.rmdir()
        if isinstance(error, OSError):
            raise from_os_error(_named(error, folder, to), path=to) from None
        raise


def _named(error: OSError, folder: Path, to: Path) -> OSError:
    """The error with the names that files would have had in the end."""
    first, second = (
        None if name is None else str(name).replace(str(folder), str(to)) for name in (error.filename, error.filename2)
    )
    return OSError(error.errno, error.strerror, first, None, second)


def refuse_full(folder: Path) -> None:
    """Only a new or empty folder is written into.

    Raises:
        StorageRefused: there is something in it, or it is a file.
    """
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise from_os_error(error, path=folder) from None
    if taken:
        raise StorageRefused(f"{folder} is there already", fix="name a new folder")
