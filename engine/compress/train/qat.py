"""`train.qat`: train with the rounding of quantization in place, so that weights and scales suit it.

The pairs are those that `lower` writes. Weights that `quantize.weights` stored as integers are floats while they learn, and
integers again in the file. After `quantize.int8` the graph stays FP32: weights learn behind the rounding that lowering gives
them, and what scales of activations learnt goes into the ranges (Jacob et al. 2018, Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference; scales as in `learnt_pairs.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from onnx import ModelProto, TensorProto

from ...data.samples import Samples
from ...data.training import refuse_unlabelled
from ...errors import RecipeRefused
from ...graph.load import load, save_apart
from ...graph.walk import constants, is_onnx
from ...network.module import as_module
from ...schema.steps import TrainQat
from ...system.cpu import read_processor
from ...system.reporter import Reporter
from .. import qdq, qdq_tensorrt
from ..annotations import Int8, raised, read_int8, write_int8
from ..true_zeros import true_zeros
from . import same_results
from .device import move, to_gpu
from .label_marks import label_marks
from .learnt_pairs import LearntPairs, WeightGrid
from .loop import train
from .prepared import HINTS, Prepared, begin_torch, first_feeds, rows_of, samples_at_once, trained_values
from .trainable import nonzero, trainable_floats, write

_INTEGERS = (TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4)


def qat(step: TrainQat, source: Path, out: Path, samples: Samples, say: Reporter, kept: Path | None = None) -> str:
    """Train the quantized model at `source` on labelled `samples` and write it to `out`; returns a line of what was done.

    Names, shapes, zero-points and types stay; integers, scales, ranges, and weights and biases in floats change. What goes on
    after a kill is in the folder `kept`.

    Raises:
        RecipeRefused: PyTorch cannot be loaded, or nothing is quantized.
        DataRefused: there are no labels, or they do not fit the model.
        ModelRefused: the model cannot be executed in PyTorch (the node is named), or gives other results there.
        RunFailed: the loss or a weight became NaN, or memory ran out.
        StorageRefused: `out` cannot be written.
    """
    begin_torch(step.seed)
    refuse_unlabelled(samples)
    model, annotation = _quantized(load(source))
    integers = _stored_integers(model)
    if annotation is None and not integers:
        raise RecipeRefused(
            f"nothing is quantized before {step.method}, so that there is no rounding to train with",
            fix="put `quantize.weights` or `quantize.int8` before it",
        )
    ready, pairs = _ready(step, model, annotation, integers, samples, say)
    mark = label_marks(ready, samples, say)
    learnt = train(step, ready.learner(mark, _zeros_kept(step, ready, pairs)), samples, say, kept)
    _write(step, ready, pairs, annotation)
    save_apart(model, out)
    return f"{learnt.told()}, {_told(pairs)}"


def _quantized(model: ModelProto) -> tuple[ModelProto, Int8 | None]:
    """The model, where its lowering wants that in the opset that has a scale for each channel, and its ranges."""
    if read_int8(model) is None:
        return model, None
    model = raised(model, 13, "a scale for each channel")
    return model, read_int8(model)


def _stored_integers(model: ModelProto) -> frozenset[str]:
    """Tensors of 8- and 4-bit integers that a DequantizeLinear reads, with a stored scale in 32-bit floats."""
    held = constants(model)
    return frozenset(
        node.input[0]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
        and is_onnx(node)
        and node.input[0] in held
        and held[node.input[0]].data_type in _INTEGERS
        and node.input[1] in held
        and held[node.input[1]].data_type == TensorProto.FLOAT
        and all(name in held for name in node.input[2:] if name)
    )


def _ready(
    step: TrainQat, model: ModelProto, annotation: Int8 | None, integers: frozenset[str], samples: Samples, say: Reporter
) -> tuple[Prepared, LearntPairs]:
    """The module that is trained, held against the model before it learns to round: a value on the edge between two steps falls
    to either side, and would make their difference.
    """
    floats = trainable_floats(model)
    rows, feeds = rows_of(model), first_feeds(samples, 2 * rows_of(model))
    plain = as_module(model, (), rows, HINTS)
    free = same_results.batch_is_free(plain, model, feeds, rows)
    device = to_gpu(plain, feeds, rows, say)
    graph, scales = _with_pairs(step, model, annotation)
    module = as_module(graph, [name for name in floats.names if name in constants(graph)], rows, HINTS)
    own_pairs = any(node.op_type == "QuantizeLinear" and is_onnx(node) for node in model.graph.node)
    grid = WeightGrid(2 ** (_weight_bits(step) - 1) - 1, affine=_affine(step, annotation))
    # Pairs that came with the model have biases in steps of their scales, which therefore stay.
    pairs = LearntPairs(module, integers, scales, grid, learn_scales=step.scales and not own_pairs)
    move(module, device)
    return Prepared(model, floats, module, rows, samples_at_once(step, rows, free, device), free, feeds, device), pairs


def _with_pairs(step: TrainQat, model: ModelProto, annotation: Int8 | None) -> tuple[ModelProto, dict[str, str]]:
    """The graph as it is lowered, weights still in floats, and what activations' scales are of."""
    graph, scales = ModelProto(), dict[str, str]()
    graph.CopyFrom(model)
    if annotation is None:
        return graph, scales
    ranges, excluded = dict(annotation.ranges), set(annotation.exclude)
    if step.pairs == "tensorrt":
        qdq_tensorrt.insert(graph, ranges, excluded, annotation.per_channel, scales)
    else:
        affine = _affine(step, annotation)
        per_channel = annotation.per_channel and not affine
        settings = qdq.QdqSettings("uint8", affine, per_channel, _weight_bits(step), learnt=True)
        qdq.insert(graph, ranges, excluded, settings, scales)
    return graph, scales


def _affine(step: TrainQat, annotation: Int8 | None) -> bool:
    return annotation is not None and annotation.scheme == "affine" and step.pairs != "tensorrt"


def _weight_bits(step: TrainQat) -> int:
    return 8 if step.pairs == "tensorrt" or read_processor().multiplies_bytes_exactly else 7


def _zeros_kept(step: TrainQat, ready: Prepared, pairs: LearntPairs) -> Callable[[], None]:
    """What puts weights back to zero that were so; of integers those that were so before rounding, where that was noted."""
    import torch

    gone = {}
    if step.keep_zeros:
        there = nonzero(ready.model, ready.trainable.prunable)
        gone = {name: torch.from_numpy(~places).to(ready.device) for name, places in there.items()}
        for name, zeros in pairs.zeros().items():
            gone[name] = torch.from_numpy(true_zeros(ready.model, name, zeros.cpu().numpy())).to(ready.device)

    def settle() -> None:
        for name, places in gone.items():
            ready.module.trained[name].masked_fill_(places, 0)

    return settle


def _write(step: TrainQat, ready: Prepared, pairs: LearntPairs, annotation: Int8 | None) -> None:
    """Put what was learnt where it is stored.

    Raises:
        RunFailed: something became NaN or infinite.
    """
    values, own = trained_values(ready, step), ready.trainable.names
    write(ready.model, {name: array for name, array in values.items() if name in own} | pairs.stored())
    if annotation is not None:
        grown = pairs.factors()
        ranges = {
            name: (low * grown.get(name, 1.0), high * grown.get(name, 1.0)) for name, (low, high) in annotation.ranges.items()
        }
        write_int8(ready.model, msgspec.structs.replace(annotation, ranges=ranges))


def _told(pairs: LearntPairs) -> str:
    changes = pairs.changes()
    if not changes:
        return "scales stay"
    middle = float(np.median(changes))
    return f"{len(changes)} scales, changed by {100 * middle:.1f} % in the median"
