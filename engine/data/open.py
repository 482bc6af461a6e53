"""Open a dataset for a model: which samples are for calibration, which for evaluation, and whether they fit.

Apart from the readers because the split must be the same whatever the files are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from ..errors import DataRefused
from ..library.datasets import kind_of
from ..schema.model_facts import TensorFacts
from ..schema.spec import Dataset
from ..system.reporter import Reporter
from ..tasks.exporter import ExportNotes
from .annotated import find_annotated
from .arrays import open_arrays
from .detection_images import DetectionImages
from .images import open_images, pixel_recipe
from .masked_images import MaskedImages, find_masked, has_masks
from .samples import Reader, Samples, Truth, balanced_order
from .texts import open_texts

Part = Literal["calibration", "evaluation", "all"]

_NOTHING_SAID = ExportNotes()
_OF_ARRAYS: dict[str, Truth] = {"classification": "classes", "text-classification": "classes", "regression": "numbers"}
"""What the array of labels is, by task."""
_SHARE = 0.1
_ENOUGH = 100
"""Calibration samples below which ranges are a matter of luck; but never more than half of what there is."""


def open_samples(
    dataset: Dataset,
    inputs: Sequence[TensorFacts],
    shapes: Mapping[str, tuple[int, ...]],
    part: Part,
    seed: int,
    say: Reporter,
    notes: ExportNotes = _NOTHING_SAID,
    known_ids: Mapping[str, int] = MappingProxyType({}),
    *,
    trains: bool = False,
) -> Samples:
    """The samples of one part of `dataset`, as the model's `inputs` of `shapes` want them.

    `calibration` is all of `dataset.calibration`, or a share of `dataset.path` that `evaluation` then leaves out;
    `all` is all of `dataset.path`. `notes`: what the model's exporter says of its input and its classes. `known_ids`: how
    many ids an input may have, where it chooses rows of a table. `trains`: the calibration set is learnt from, so that what is
    annotated in it is read.

    Raises:
        DataRefused: missing, empty, of one class (where accuracy is wanted), broken, or not fitting the model.
    """
    own = bool(dataset.calibration)
    path = Path(dataset.calibration if part == "calibration" and own else dataset.path)
    # A share of `path` must be counted among the same images as the rest; a set of its own needs no boxes to calibrate.
    boxes = part != "calibration" or not own or trains
    reader = _reader(dataset, path, inputs, shapes, say, notes, known_ids, boxes=boxes)
    if len(reader) == 0:
        raise DataRefused(f"{path} is empty", fix="put samples into it, or name another dataset")
    if part != "calibration" and reader.labels is not None:
        _refuse_one_class(reader, path)
    if reader.assumed:
        say.warn(
            f"nothing says how images of {dataset.name or path.name} become the model's input: {reader.assumed} is assumed; "
            "a dataset's TOML file says it under [input] (color, scale, mean, std)"
        )
    order = balanced_order(reader.labels, len(reader), seed)
    if part == "all" or own:
        return Samples(reader, order, f"all of {path.name}", say)
    if len(order) < 2:
        raise DataRefused(
            f"{path} holds one sample, which cannot be both calibrated and evaluated with",
            fix="add samples, or name a `calibration` set of its own",
        )
    share = min(max(int(np.ceil(_SHARE * len(order))), _ENOUGH), len(order) // 2)
    words = f"{100 * share / len(order):.0f} % of {path.name} (seed {seed})"
    if part == "calibration":
        return Samples(reader, order[:share], words, say)
    return Samples(reader, order[share:], f"{path.name} without the {words} for calibration", say)


def _reader(
    dataset: Dataset,
    path: Path,
    inputs: Sequence[TensorFacts],
    shapes: Mapping[str, tuple[int, ...]],
    say: Reporter,
    notes: ExportNotes,
    known_ids: Mapping[str, int],
    *,
    boxes: bool,
) -> Reader:
    kind = dataset.kind if str(path) == dataset.path else kind_of(path)
    if kind == "npz":
        return open_arrays(path, inputs, shapes, known_ids, labels=_OF_ARRAYS.get(dataset.task, ""), say=say)
    if kind == "text":
        labelled = dataset.task == "text-classification"
        return open_texts(path, dataset.tokenizer, inputs, shapes, known_ids, dataset.classes, say, labelled=labelled)
    recipe = pixel_recipe(dataset.input, inputs, shapes, notes)
    if kind in ("detection", "keypoints") and dataset.task == kind and boxes:
        poses = kind == "keypoints"
        return DetectionImages(find_annotated(path, dataset.classes, notes.names, say, poses=poses), recipe)
    masked = dataset.task == kind and boxes
    if kind == "segmentation" and (masked or has_masks(path)):
        return MaskedImages(find_masked(path, say), recipe, dataset.classes, labelled=masked)
    labelled = dataset.task == "classification" and kind == "image-folder"
    return open_images(path, recipe, labelled=labelled, upright=dataset.kind != "image-folder", classes=dataset.classes)


def _refuse_one_class(reader: Reader, path: Path) -> None:
    if reader.labels is not None and (reader.labels == reader.labels[:1]).all():
        name = f" ({reader.classes[reader.labels[0]]})" if reader.classes else ""
        raise DataRefused(
            f"{path} is of one class{name}, and accuracy over one class says nothing",
            fix='add folders of the other classes, or describe it in a TOML file with task = "none" to use it without labels',
        )
