"""`adaptive`: the graph that inputs run in a second time, beside the quantized one that they run in first.

A quantizing step leaves the graph in FP32 and its wish in the metadata, so the twin is the same graph without the wish: pruned
and factored as the recipe says, and quantized nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import RecipeRefused
from ..graph import metadata
from ..graph.load import load, save_apart
from ..schema.adaptive_steps import Adaptive
from ..schema.steps import PrecisionFp16
from ..system.reporter import Reporter
from .annotations import read_dynamic, read_int8
from .precision import fp16

WIDE = "wide.onnx"
"""What the twin is called, in the folder of the quantized graph."""
_QUANTIZED = ("int8", "dynamic", metadata.HALF)

Feeds = Mapping[str, NDArray[np.generic]]


def adaptive(step: Adaptive, source: Path, out: Path, samples: Iterable[Feeds], say: Reporter) -> str:
    """Write the model at `source` as it is to `out`, and beside it its twin of higher precision.

    Raises:
        RecipeRefused: nothing was quantized before it.
        StorageRefused: the disk is full.
    """
    model = load(source)
    if read_int8(model) is None and read_dynamic(model) is None:
        raise RecipeRefused(
            "adaptive finds no activations in INT8 in the model",
            fix="put quantize.int8 or quantize.dynamic before it in the recipe",
        )
    save_apart(model, out)
    for key in _QUANTIZED:
        metadata.drop(model, key)
    wide = out.with_name(WIDE)
    if step.precision == "float32":
        save_apart(model, wide)
        return "the graph in FP32 is kept beside the quantized one"
    plain = out.with_name("plain.onnx")
    save_apart(model, plain)
    text = fp16(PrecisionFp16(), plain, wide, samples, say)
    for file in out.parent.glob(f"{plain.name}*"):
        file.unlink()
    return f"beside the quantized graph: {text}"
