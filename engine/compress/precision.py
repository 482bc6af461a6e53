"""`precision.fp16`: half precision where numbers fit into it; inputs and outputs stay FP32.

The step finds out which nodes must stay in FP32 and says so in the model's metadata; the rewrite itself (`to_fp16`) is for
`lower`, so that one calibrated FP32 file serves every backend.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from ..backends.onnxruntime.error_messages import runtime_errors
from ..errors import BackendRefused, ModelRefused, first_line
from ..graph.computable_part import computable
from ..graph.external import LARGEST_IN_MEMORY, size_of
from ..graph.load import load, save_apart
from ..graph.names import Names
from ..graph.select import select
from ..graph.shapes import inferred
from ..graph.values import array_of
from ..graph.walk import constants, label, nodes
from ..graph.write import FOLDER_OPTION, for_session
from ..schema.steps import PrecisionFp16
from ..system.reporter import Reporter
from .annotations import write_fp16
from .half import LARGEST_HALF, LEAST_NORMAL, halved

FRAGILE = frozenset(
    {
        "Pow", "Exp", "Log", "CumSum", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean", "ReduceProd",
        "ReduceSum", "ReduceSumSquare", "GroupNormalization", "InstanceNormalization", "LayerNormalization", "LpNormalization",
        "MeanVarianceNormalization", "RMSNormalization",
    }
)  # fmt: skip
"""Operators whose sums and powers leave the range or the digits of half floats inside, where no output shows it."""

Feeds = Mapping[str, NDArray[np.generic]]


def fp16(step: PrecisionFp16, source: Path, out: Path, samples: Iterable[Feeds] | None, say: Reporter) -> str:
    """Write the model at `source`, still FP32, annotated to be halved; returns a line of what stays.

    Kept in FP32: what the step's patterns name, sums and powers (`FRAGILE`), nodes with a constant past 65504 or with weights
    that are all below the smallest normal half float, and, where samples are given, nodes that make or read an activation past
    65504 on one of them (the samples stream, one at a time).

    Raises:
        RecipeRefused: a pattern of `keep` matches no node.
        BackendRefused: a sample does not fit the model.
        StorageRefused: `out` cannot be written.
    """
    model = load(source)
    asked = select(model, step.keep, say)
    large = {name for name, tensor in constants(model).items() if _past_half(tensor)}
    tiny = {name for name, tensor in constants(model).items() if _below_half(tensor)}
    ran = 0
    reason = "there are no samples"
    too_large = size_of(model) > LARGEST_IN_MEMORY
    if too_large:
        reason = "the model is too large for a dry run"
    elif samples is not None:
        peaks, ran, reason = _tried(model, samples, say)
        large |= {name for name, peak in peaks.items() if peak > LARGEST_HALF}
        odd = sorted(name for name, peak in peaks.items() if math.isnan(peak))
        if odd:
            say.warn(f"{odd[0]} is not a number (NaN) on a sample, in FP32 already ({len(odd)} tensors)")
    past = {label(node) for node in nodes(model) if large.intersection([*node.input, *node.output])}
    fragile = {label(node) for node in nodes(model) if node.op_type in FRAGILE}
    below = {label(node) for node in nodes(model) if tiny.intersection(node.input)}
    stay = asked | past | fragile | below
    half = halved(model, stay)
    if not half:
        say.warn("no node of this model can be computed in half precision: the step changes nothing")
    write_fp16(model, stay)
    save_apart(model, out)
    if not ran:
        say.note(f"half precision: {reason}, so only weights were checked for values past 65504")
    counts = {
        "asked for": asked,
        "past 65504": past - asked,
        "with weights too small": below - past - asked,
        "sums and powers": fragile - below - past - asked,
    }
    parts = [f"{len(names)} {why}" for why, names in counts.items() if names]
    total = len(list(nodes(model)))
    others = total - len(half) - len(stay)
    left = (f"; FP32: {', '.join(parts)}" if parts else "") + (f"; {others} unchanged" if others else "")
    seen = f" ({ran} samples tried)" if ran else ""
    return f"half precision for {len(half)} of {total} nodes{left}{seen}"


def _past_half(tensor: TensorProto) -> bool:
    if tensor.data_type not in (TensorProto.FLOAT, TensorProto.BFLOAT16):
        return False
    array = array_of(tensor).astype(np.float32)
    finite = np.abs(array[np.isfinite(array)])
    return bool(finite.size and finite.max() > LARGEST_HALF)


def _below_half(tensor: TensorProto) -> bool:
    """Weights of which half floats would leave few digits or nothing; a single small number (an epsilon) is none."""
    if tensor.data_type not in (TensorProto.FLOAT, TensorProto.BFLOAT16) or math.prod(tensor.dims) < 2:
        return False
    largest = float(np.abs(array_of(tensor).astype(np.float32)).max())
    return 0 < largest < LEAST_NORMAL


def _tried(model: ModelProto, samples: Iterable[Feeds], say: Reporter) -> tuple[dict[str, float], int, str]:
    """As `_peaks`, of the part that ONNX Runtime can compute; and why there is nothing. The step can do without."""
    try:
        part, cut = computable(model)
        if cut.foreign:
            say.note(cut.words())
        peaks, ran = _peaks(part, samples, say)
    except ModelRefused as error:
        return {}, 0, f"ONNX Runtime cannot try it on samples ({error.what})"
    return peaks, ran, "no tensor between its nodes is known to be FP32"


def _peaks(model: ModelProto, samples: Iterable[Feeds], say: Reporter) -> tuple[dict[str, float], int]:
    """The largest magnitude of every float activation over the samples, and how many samples there were.

    The graph itself reduces each activation to one number, so that memory does not grow with the model or the samples.

    Raises:
        ModelRefused: ONNX Runtime does not load the model.
        BackendRefused: it cannot run it on a sample.
    """
    import onnxruntime

    watched, names = _watched(model)
    if not names:
        return {}, 0
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Nothing is fused: a fused activation would not be seen.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        content, folder = for_session(watched)
        if folder is not None:
            options.add_session_config_entry(FOLDER_OPTION, str(folder))
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no base of their own
        raise ModelRefused(first_line(error), fix="leave precision.fp16 out") from error
    peaks = np.zeros(len(names), dtype=np.float64)
    count = 0
    try:
        for feeds in samples:
            seen = session.run(list(names), dict(feeds))
            peaks = np.maximum(peaks, [float(value) for value in seen])
            count += 1
            say.progress(count, None, "samples tried for half precision")
    except runtime_errors() as error:
        raise BackendRefused(
            f"the dry run for half precision failed on a sample ({first_line(error)})",
            fix="make the dataset's input settings fit the model's inputs, which `edgetui inspect` shows",
        ) from error
    return dict(zip(names.values(), peaks.tolist(), strict=True)), count


def _watched(model: ModelProto) -> tuple[ModelProto, dict[str, str]]:
    """A copy that gives the largest magnitude of each float activation of the main graph instead of its outputs: that output's
    name to the activation's.
    """
    full = inferred(model, {})
    floats = {
        value.name
        for value in [*full.graph.value_info, *full.graph.output]
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    names = [name for node in model.graph.node for name in node.output if name in floats and node.op_type != "Constant"]
    watched, taken = ModelProto(), Names(model)
    watched.CopyFrom(model)
    del watched.graph.output[:]
    peaks = {taken.free(f"{name}_peak"): name for name in names}
    for peak, name in peaks.items():
        magnitude = taken.free(f"{name}_magnitude")
        watched.graph.node.append(helper.make_node("Abs", [name], [magnitude]))
        watched.graph.node.append(helper.make_node("ReduceMax", [magnitude], [peak], keepdims=0))
    watched.graph.output.extend(helper.make_tensor_value_info(peak, TensorProto.FLOAT, []) for peak in peaks)
    return watched, peaks
