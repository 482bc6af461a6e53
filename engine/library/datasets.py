"""What the user calls a dataset (a name, a folder, a zip, an .npz, a TOML file) as one value, `spec.Dataset`.

Apart from `open.py` because the command line and the screen need it and must stay light: no numpy, no pillow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import msgspec

from ..config import read_toml, refuse_nul, typed_path, what_is
from ..errors import DataRefused, nearest
from ..schema.ready import ready
from ..schema.spec import Dataset, DatasetKind, Task
from ..schema.validation import explain
from .annotated_images import KEYPOINTS, annotation_forms, mask_folder, masks_of
from .dataset_parts import parts_of

_FORMS = (
    "a folder or zip of class folders with images, or of images with boxes (VOC, YOLO, COCO) or masks, an .npz, a .tsv of "
    "texts, or a .toml file that describes one"
)
_MOST_NAMES = 50_000
"""Names of files that are looked at to tell annotated images from others."""


_TASKS: dict[str, tuple[Task, ...]] = {
    "image-folder": ("classification",),
    "npz": ("classification", "text-classification", "regression"),
    "detection": ("detection",),
    "keypoints": ("keypoints",),
    "segmentation": ("segmentation",),
    "text": ("text-classification",),
}
"""What labels of a kind are for, the usual first."""
_DECODERS = {
    "detection": ("yolov5", "yolov8", "yolo-end2end", "ssd"),
    "keypoints": ("yolov8-pose", "trt-pose"),
    "segmentation": (),
    "text": (),
}
"""What reads outputs that labels of a kind are held against."""


def read_dataset(text: str, config_datasets: Mapping[str, str]) -> Dataset:
    """The dataset that `text` names: a key of `config_datasets` (name to path), or a path. All paths come out absolute.

    Raises:
        DataRefused: it is not there, is nothing of what we read, or its TOML file has a key or value that is not valid.
    """
    named = text in config_datasets
    path = typed_path(config_datasets[text] if named else text).absolute()
    if not os.path.exists(path):  # noqa: PTH110  (a name that is too long is no error there)
        known = f"; {nearest(text, config_datasets)}" if config_datasets and not named else ""
        raise DataRefused(f"dataset {path} is not there", fix=f"give {_FORMS}{known}")
    dataset = _described(path) if path.suffix.lower() == ".toml" else _bare(path)
    name = text if named else dataset.name or path.stem
    return msgspec.structs.replace(dataset, name=name)


def read_parts(text: str, config_datasets: Mapping[str, str]) -> Dataset:
    """`read_dataset`, or of a folder with `train` and `test` in it the second, calibrated with the first.

    Raises:
        DataRefused: as `read_dataset`.
    """
    found = read_dataset(text, config_datasets)
    parts = parts_of(Path(found.path)) if found.kind == "image-folder" and not found.calibration else None
    if parts is None:
        return found
    own = _bare(parts[0])
    kept = found if own.kind == found.kind else own
    return msgspec.structs.replace(kept, name=found.name, path=own.path, calibration=str(parts[1]))


def tasks_of(kind: DatasetKind) -> tuple[Task, ...]:
    """What labels of a kind may be for, the usual first; `none` goes with each."""
    return _TASKS[kind]


def decoders_of(kind: DatasetKind) -> tuple[str, ...]:
    """What reads outputs that labels of a kind are held against, beside `auto`."""
    return _DECODERS.get(kind, ())


def kind_of(path: Path) -> DatasetKind:
    """What a file or folder without a description is.

    Raises:
        DataRefused: none of the kinds we read.
    """
    if what_is(path) == "not there":
        raise DataRefused(f"dataset {path} is not there", fix="check the path")
    if path.is_dir():
        return _kind_of_images(_names_below(path))
    _refuse_endless(path)
    if path.suffix.lower() == ".npz":
        return "npz"
    if path.suffix.lower() == ".tsv":
        return "text"
    import zipfile

    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return _kind_of_images(_names_in(path))
    raise DataRefused(f"{path.name} is not a dataset", fix=f"give {_FORMS}")


def _bare(path: Path) -> Dataset:
    kind = kind_of(path)
    return _with_tokenizer(Dataset(kind=kind, path=str(path), task=_TASKS[kind][0]), path)


def _with_tokenizer(dataset: Dataset, *beside: Path) -> Dataset:
    """With the `tokenizer.json` that lies beside, where texts need one and nothing else is said."""
    if dataset.kind != "text" or dataset.tokenizer:
        return dataset
    near = next((file for path in beside if (file := path.parent / "tokenizer.json").is_file()), None)
    return dataset if near is None else msgspec.structs.replace(dataset, tokenizer=str(near))


def _kind_of_images(names: Iterator[str]) -> DatasetKind:
    listed = list(islice(names, _MOST_NAMES))
    forms = annotation_forms(listed)
    if any(KEYPOINTS in name.rpartition("/")[2].lower() for name in forms.get("COCO JSON", ())):
        return "keypoints"
    if not forms and any(mask_folder(mask) for mask in masks_of(listed).values()):
        return "segmentation"
    return "detection" if forms else "image-folder"


def _names_below(folder: Path) -> Iterator[str]:
    for root, inner, files in os.walk(folder):
        inner.sort()
        below = Path(root).relative_to(folder)
        yield from ((below / file).as_posix() for file in sorted(files))


def _names_in(path: Path) -> Iterator[str]:
    """None of what is no zip: whoever reads it says so."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            yield from (name.replace("\\", "/") for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, OSError):
        return


def _described(file: Path) -> Dataset:
    """Read a TOML file; relative paths in it start at its folder."""
    data = read_toml(file, DataRefused)
    refuse_nul(data, file, DataRefused)
    for key in ("path", "calibration", "tokenizer"):
        if isinstance(data.get(key), str) and data[key]:
            data[key] = str((file.parent / typed_path(data[key])).resolve())
    data.setdefault("name", file.stem)
    kind = data.get("kind")
    if isinstance(kind, str) and kind in _TASKS:
        data.setdefault("task", _TASKS[kind][0])
    try:
        dataset = msgspec.convert(data, ready(Dataset))
    except msgspec.ValidationError as error:
        why = explain(data, Dataset, error)
        raise DataRefused(
            f"{file}: {why.what}", fix=f"{why.fix}; `edgetui dataset DATA --out FILE.toml` writes a valid one"
        ) from None
    if dataset.task not in ("none", *_TASKS[dataset.kind]):
        fitting = ", ".join(f'"{task}"' for task in _TASKS[dataset.kind])
        raise DataRefused(
            f'{file}: a dataset of kind "{dataset.kind}" has no labels for task "{dataset.task}"',
            fix=f'write task = {fitting}, or "none"',
        )
    _refuse_decoder(file, dataset)
    for key, where in (("path", dataset.path), ("calibration", dataset.calibration), ("tokenizer", dataset.tokenizer)):
        if where and what_is(Path(where)) == "not there":
            raise DataRefused(f"{file}: `{key}` points at {where}, which is not there", fix="mend the path")
        if where:
            _refuse_endless(Path(where))
    return _with_tokenizer(dataset, Path(dataset.path), file)


def _refuse_decoder(file: Path, dataset: Dataset) -> None:
    """Boxes are not read from poses, nor the other way round."""
    fitting = _DECODERS.get(dataset.kind)
    if fitting is not None and dataset.decoder not in ("auto", *fitting):
        raise DataRefused(
            f'{file}: decoder "{dataset.decoder}" does not read what a dataset of kind "{dataset.kind}" has',
            fix=f"write one of {', '.join(('auto', *fitting))}",
        )


def _refuse_endless(path: Path) -> None:
    """A pipe would be waited at for ever, and a device may have no end."""
    if not (path.is_file() or path.is_dir()):
        raise DataRefused(f"{path} is {what_is(path)}, no file", fix=f"give {_FORMS}")
