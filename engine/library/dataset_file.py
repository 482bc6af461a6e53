"""A dataset as the text of the TOML file that describes it; reading that gives the same dataset.

Apart from `datasets.py`, which reads: writing needs tomlkit, and only who writes waits for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ..config import what_is
from ..errors import StorageRefused, from_os_error
from ..schema.spec import Dataset, ImageInput
from ..system.atomic_write import write_atomic
from .datasets import tasks_of

_PATHS = ("path", "calibration", "tokenizer")


def dataset_toml(dataset: Dataset, file: Path) -> str:
    """The text of `file`: what is not as it would be anyway; paths below its folder start there."""
    import tomlkit  # 30 ms, and only needed to write

    table: dict[str, Any] = msgspec.to_builtins(dataset)
    del table["input"]
    usual = msgspec.to_builtins(Dataset(kind=dataset.kind, path="", task=tasks_of(dataset.kind)[0], name=file.stem))
    document = tomlkit.document()
    for key in ("kind", *(key for key in table if key != "kind")):
        if key == "kind" or table[key] != usual[key]:
            document[key] = _placed(table[key], file.absolute().parent) if key in _PATHS else table[key]
    if said := input_table(dataset.input):
        document["input"] = tomlkit.table()
        document["input"].update(said)
    return tomlkit.dumps(document)


def input_table(how: ImageInput) -> dict[str, Any]:
    """What is said of how images become the input. The scale is, wherever anything else of colours is."""
    table: dict[str, Any] = msgspec.to_builtins(how)
    usual = msgspec.to_builtins(ImageInput())
    colors = bool(how.color or how.mean or how.std)
    said = {key: value for key, value in table.items() if value != usual[key] or (key == "scale" and colors)}
    if float(said.get("scale", 0.5)).is_integer():
        said["scale"] = int(said["scale"])  # 255, as people write it
    return said


def _placed(path: str, folder: Path) -> str:
    """Relative where that leads below the file's folder: both may be moved together."""
    for base in (folder, folder.resolve()):
        if Path(path).is_relative_to(base):
            return str(Path(path).relative_to(base))
    return path


def refuse_taken(file: Path, *, over: bool) -> None:
    """Refuse a file that a description cannot be written to; `over`: one that is there is written over.

    Raises:
        StorageRefused: its name does not end in .toml, or it is there already.
    """
    if file.suffix.lower() != ".toml":
        raise StorageRefused(f"{file} would not be read as a description", fix="give it a name that ends in .toml")
    if file.exists() and not file.is_file():
        raise StorageRefused(f"{file} is {what_is(file)}", fix="name another file")
    if file.exists() and not over:
        raise StorageRefused(f"{file} is there already", fix="name another file, or write over it with --force")


def write_dataset(dataset: Dataset, file: Path, *, over: bool) -> None:
    """Write it whole or not at all; `over`: a file that is there as well.

    Raises:
        StorageRefused: as `refuse_taken`, or it cannot be written.
    """
    refuse_taken(file, over=over)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, dataset_toml(dataset, file).encode(), mode=0o666)
    except OSError as error:
        raise from_os_error(error, path=file) from None
