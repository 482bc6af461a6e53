"""A finished run as a folder that can be given away: report, result, figures, recipe and the files it made."""

from __future__ import annotations

import shutil
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
    refuse_full(to)
    try:
        to.mkdir(parents=True, exist_ok=True)
        texts = {
            "report.md": markdown([result]),
            "result.json": msgspec.json.format(documents.encode(result), indent=2).decode() + "\n",
            "figures.csv": csv_text([result]),
        }
        if result.recipe.toml:
            texts["recipe.toml"] = result.recipe.toml
        for name, text in texts.items():
            (to / name).write_text(text, encoding="utf-8")
        for name in ("run.toml", "events.jsonl"):
            if (run_folder / name).is_file():
                shutil.copyfile(run_folder / name, to / name)
        if (run_folder / "artifacts").is_dir():
            shutil.copytree(run_folder / "artifacts", to / "artifacts")
    except shutil.Error as error:
        raise StorageRefused(f"cannot copy into {to} ({error})", fix="check the disk, then export into a new folder") from None
    except OSError as error:
        raise from_os_error(error) from None
    return tuple(sorted(path for path in to.rglob("*") if path.is_file()))


def copy_artifacts(result: Result, to: Path) -> tuple[Path, ...]:
    """Copy the files a run made (model, plan) into a folder; returns the copies.

    Raises:
        StorageRefused: as `export`.
    """
    refuse_full(to)
    sources = [Path(name) for name in result.artifacts.values()]
    try:
        to.mkdir(parents=True, exist_ok=True)
        beside = [file for source in sources for file in source.parent.glob(f"{source.name}.*")]
        return tuple(Path(shutil.copyfile(file, to / file.name)) for file in dict.fromkeys(sources + beside))
    except OSError as error:
        raise from_os_error(error) from None


def refuse_full(folder: Path) -> None:
    """Only a new or empty folder is written into.

    Raises:
        StorageRefused: there is something in it, or it is a file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageRefused(f"{folder} is there already", fix="name a new folder")
