"""`quantize.int8`: observe what will be quantized, and leave the ranges in the model. The graph stays FP32.

Apart from the calibration because a step only chooses: which nodes, which tensors, which rule for ranges.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto

from ..errors import ModelRefused, RecipeRefused
from ..graph import load as files
from ..graph.computable_part import computable_file
from ..graph.select import select
from ..graph.weights import weights as constant_weights
from ..schema.steps import QuantizeInt8
from ..system.heap import give_back_large_blocks
from ..system.reporter import Reporter
from . import ranges
from .annotations import Int8, write_int8
from .calibrate import Choose, calibrate
from .kept_samples import FEW
from .magnitude import tell_computed
from .observe import Feeds
from .placement import for_onnxruntime, for_tensorrt
from .view import View


def int8(step: QuantizeInt8, source: Path, out: Path, samples: Iterable[Feeds], say: Reporter) -> str:
    """Calibrate the model at `source` and write it with its ranges to `out`; returns a line of what was done.

    `samples` are feeds (input name to array), read once and as a stream.

    Raises:
        RecipeRefused: the model has nothing to quantize, or an exclusion matches no node.
        DataRefused: there are no samples, or they do not fit the model.
        ModelRefused: the model cannot be run, or a weight or another tensor is NaN or infinite.
        StorageRefused: `out` cannot be written.
    """
    give_back_large_blocks()
    tensors, excluded = _observed(source, step.exclude, say)
    with computable_file(source, out.parent) as (part, cut):
        if cut.foreign:
            say.note(cut.words())
            tensors = [name for name in tensors if name in cut.made]
        if not tensors:
            raise RecipeRefused(
                f"nothing that could be quantized comes before {cut.foreign[0]}, which ONNX Runtime cannot compute",
                fix="use `quantize.weights`, which needs no calibration",
            )
        found, count = calibrate(part, tensors, samples, step.samples, _choice(step), say)
    if count < FEW:
        say.warn(f"ranges come from {count} samples only; give 100 or more that look like what the model will see")
    annotation = Int8(
        ranges=found,
        scheme=step.scheme,
        per_channel=step.per_channel,
        exclude=tuple(sorted(excluded)),
        calibrator=step.calibrator,
        samples=count,
    )
    model = files.load(source)
    write_int8(model, annotation)
    files.save_apart(model, out)
    left = f", {len(excluded)} nodes left out" if excluded else ""
    return f"{len(tensors)} tensors calibrated ({step.calibrator}) on {count} samples{left}"


def _observed(source: Path, exclude: Iterable[str], say: Reporter) -> tuple[list[str], set[str]]:
    """Every tensor that some target will quantize, in the graph's order, and the labels of the nodes left out."""
    model = files.load(source)
    excluded = select(model, exclude, say)
    _refuse_broken(model, excluded)
    tell_computed(model, excluded, say)
    view = View(model)
    wanted = for_onnxruntime(view, excluded, _all).ranged | for_tensorrt(view, excluded, _all).ranged
    if not wanted:
        raise _nothing(model, excluded)
    order = [value.name for value in model.graph.input] + [name for node in model.graph.node for name in node.output]
    return [name for name in order if name in wanted], excluded


def _refuse_broken(model: ModelProto, excluded: set[str]) -> None:
    for weight in constant_weights(model):
        if excluded.issuperset(weight.nodes):
            continue
        if not np.isfinite(weight.array().astype(np.float64, copy=False)).all():
            raise ModelRefused(
                f"weight {weight.name} holds values that are infinite or not numbers",
                fix="exclude its node, or export the model again",
            )


def _all(_tensor: str) -> bool:
    return True


def _nothing(model: ModelProto, excluded: set[str]) -> RecipeRefused:
    found = constant_weights(model)
    if not found:
        return RecipeRefused(
            "the model has nothing to quantize: no Conv, ConvTranspose, Gemm, MatMul or recurrent node with constant weights",
            fix="leave `quantize.int8` out of the recipe",
        )
    if all(weight.tensor.data_type != TensorProto.FLOAT for weight in found):
        return RecipeRefused("the model's weights are not FP32", fix="give the FP32 export; the recipe makes it smaller")
    if excluded:
        return RecipeRefused("`exclude` leaves nothing to quantize", fix="exclude fewer nodes")
    return RecipeRefused(
        "no Conv, Gemm or MatMul of this model has a form that integers can be used for", fix="use `quantize.weights` instead"
    )


def _choice(step: QuantizeInt8) -> Choose | None:
    """The rule that turns a histogram into a range; None: keep the ends."""
    if step.calibrator == "percentile":
        return lambda histogram: ranges.percentile(histogram, step.percentile)
    if step.calibrator == "entropy":
        return ranges.entropy
    if step.calibrator == "mse":
        return ranges.mse
    return None
