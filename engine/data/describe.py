"""What the user calls a dataset (a name, a folder, a zip, an .npz, a TOML file) as one value, `spec.Dataset`.

Apart from `open.py` because the command line and the screen need it and must stay light: no numpy, no pillow.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from ..config import may_be, read_toml, refuse_nul, typed_path, what_is
from ..errors import DataRefused, nearest
from ..spec import Dataset, ImageInput, field_names

_FORMS = "a folder or zip of class folders with images, an .npz, or a .toml file that describes one"
_TABLES: dict[str, tuple[str, ...]] = {"": field_names(Dataset), "input": field_names(ImageInput)}


def read_dataset(text: str, config_datasets: Mapping[str, str]) -> Dataset:
    """The dataset that `text` names: a key of `config_datasets` (name to path), or a path. All paths come out absolute.

    Raises:
        DataRefused: it is not there, is nothing of what we read, or its TOML file says something that cannot be.
    """
    named = text in config_datasets
    path = typed_path(config_datasets[text] if named else text).absolute()
    if not os.path.exists(path):  # noqa: PTH110  (a name that is too long is no error there)
        known = f"; {nearest(text, config_datasets)}" if config_datasets and not named else ""
        raise DataRefused(f"dataset {path} is not there", fix=f"give {_FORMS}{known}")
    dataset = _described(path) if path.suffix.lower() == ".toml" else Dataset(kind=kind_of(path), path=str(path))
    name = text if named else dataset.name or path.stem
    return msgspec.structs.replace(dataset, name=name)


def kind_of(path: Path) -> Literal["image-folder", "npz"]:
    """What a file or folder without a description is.

    Raises:
        DataRefused: none of the kinds we read.
    """
    if what_is(path) == "not there":
        raise DataRefused(f"dataset {path} is not there", fix="check the path")
    if path.is_dir():
        return "image-folder"
    _refuse_endless(path)
    if path.suffix.lower() == ".npz":
        return "npz"
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return "image-folder"
    raise DataRefused(f"{path.name} is no dataset", fix=f"give {_FORMS}")


def _described(file: Path) -> Dataset:
    """Read a TOML file; relative paths in it start at its folder."""
    data = read_toml(file, DataRefused)
    refuse_nul(data, file, DataRefused)
    _refuse_unknown(data, file)
    for key in ("path", "calibration"):
        if isinstance(data.get(key), str) and data[key]:
            data[key] = str((file.parent / typed_path(data[key])).resolve())
    data.setdefault("name", file.stem)
    try:
        dataset = msgspec.convert(data, Dataset)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        fix = may_be(Dataset, where.rstrip("`").lstrip("."), what)
        raise DataRefused(f"{file}: {error}", fix=f"{fix}; an example of a dataset file is in the README") from None
    for key, where in (("path", dataset.path), ("calibration", dataset.calibration)):
        if where and what_is(Path(where)) == "not there":
            raise DataRefused(f"{file}: `{key}` points at {where}, which is not there", fix="mend the path")
        if where:
            _refuse_endless(Path(where))
    return dataset


def _refuse_endless(path: Path) -> None:
    """A pipe would be waited at for ever, and a device may have no end."""
    if not (path.is_file() or path.is_dir()):
        raise DataRefused(f"{path} is {what_is(path)}, no file", fix=f"give {_FORMS}")


def _refuse_unknown(data: dict[str, object], file: Path) -> None:
    for table, known in _TABLES.items():
        content = data.get(table) if table else data
        if not isinstance(content, dict):
            continue
        for key in content:
            if key not in known:
                where = f"{table}.{key}" if table else key
                raise DataRefused(f"{file}: unknown key `{where}`", fix=nearest(str(key), known))
