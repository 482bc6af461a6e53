"""Open a dataset for a model: which samples are for calibration, which for evaluation, and whether they fit.

Apart from the readers because the split must be the same whatever the files are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import DataRefused
from ..result import TensorFacts
from ..say import Say
from ..spec import Dataset
from .arrays import open_arrays
from .describe import kind_of
from .images import open_images
from .samples import Reader, Samples, balanced_order

Part = Literal["calibration", "evaluation", "all"]

_SHARE = 0.1
_ENOUGH = 100
"""Calibration samples below which ranges are a matter of luck; but never more than half of what there is."""


def open_samples(
    dataset: Dataset, inputs: Sequence[TensorFacts], shapes: Mapping[str, tuple[int, ...]], part: Part, seed: int, say: Say
) -> Samples:
    """The samples of one part of `dataset`, as the model's `inputs` of `shapes` want them.

    `calibration` is all of `dataset.calibration`, or a share of `dataset.path` that `evaluation` then leaves out;
    `all` is all of `dataset.path`.

    Raises:
        DataRefused: missing, empty, of one class (where accuracy is wanted), broken, or not fitting the model.
    """
    own = bool(dataset.calibration)
    path = Path(dataset.calibration if part == "calibration" and own else dataset.path)
    reader = _reader(dataset, path, inputs, shapes, say)
    if len(reader) == 0:
        raise DataRefused(f"{path} is empty", fix="put samples into it, or name another dataset")
    if part != "calibration" and dataset.task == "classification" and reader.labels is not None:
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
    dataset: Dataset, path: Path, inputs: Sequence[TensorFacts], shapes: Mapping[str, tuple[int, ...]], say: Say
) -> Reader:
    kind = dataset.kind if str(path) == dataset.path else kind_of(path)
    labelled = dataset.task == "classification"
    if kind == "npz":
        return open_arrays(path, inputs, shapes, labelled=labelled, say=say)
    return open_images(path, dataset.input, inputs, shapes, labelled=labelled)


def _refuse_one_class(reader: Reader, path: Path) -> None:
    if reader.labels is not None and len(np.unique(reader.labels)) < 2:
        name = f" ({reader.classes[reader.labels[0]]})" if reader.classes else ""
        raise DataRefused(
            f"{path} is of one class{name}, and accuracy over one class says nothing",
            fix='add folders of the other classes, or describe it in a TOML file with task = "none" to use it without labels',
        )
