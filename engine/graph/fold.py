"""Constants folded and batch norms fused into convolutions, by onnxscript's optimizer.

The library is heavy to import and chatty: it is called in this one place, quietly.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ..errors import first_line
from ..system.lazy_import import left_until_used
from .names import Names, shielded
from .values import LEAST_BYTES, array_of, span, stand_ins
from .walk import constants, graphs, is_onnx, opset

if TYPE_CHECKING:
    from onnxscript.ir import LazyTensor
    from onnxscript.ir import Model as IrModel

LARGEST_VALUES = 1024
"""Numbers in a constant that the optimizer may compute: it does not ask whether the file grows, as `constants.py` does."""
OPTIONAL_BIAS = 11
"""The first opset in which Gemm may go without a bias."""
_SELDOM_USED = ("sympy", "onnx_ir._symbolic_shapes")
"""For sums of symbolic sizes. Without them the import takes 0.10 s for 0.34, and 69 MB for 101."""
_LOGGERS = ("onnxscript", "onnx_ir")


def fold(model: ModelProto) -> ModelProto:
    """A new, optimised model; the one given may be changed.

    Raises:
        FoldFailed: the optimizer tripped over the graph.
    """
    with _quiet():
        try:
            better = shielded(model, _optimized)
        except Exception as error:
            # A library that meets strangers' graphs may raise anything; whoever calls can do without it.
            raise FoldFailed(f"{type(error).__name__}: {first_line(error, 120)}") from error
    if opset(better) < OPTIONAL_BIAS:
        _bias_back(better)
    return better


def load_optimizer() -> None:
    """Import the library."""
    with left_until_used(*_SELDOM_USED):
        import onnxscript.optimizer  # noqa: F401


def _optimized(model: ModelProto) -> ModelProto:
    """What the optimizer makes of a model. It reads tensors that refer to a file when it needs them, and where it leaves them
    they refer to it still.
    """
    load_optimizer()
    from onnxscript import ir, optimizer

    referring = {tensor.name: tensor for tensor in model.graph.initializer if span(tensor) is not None}
    graph = ir.serde.deserialize_model(stand_ins(model) if referring else model)
    left: dict[int, TensorProto] = {}
    for name, tensor in referring.items():
        held = _read_when_asked(ir, tensor)
        left[id(held)] = tensor
        graph.graph.initializers[name].const_value = held
    optimizer.optimize(graph, output_size_limit=LARGEST_VALUES)
    return _serialized(ir, graph, left)


def _read_when_asked(ir: ModuleType, tensor: TensorProto) -> LazyTensor:
    shape = ir.Shape(tuple(tensor.dims))
    kind = ir.DataType(tensor.data_type)
    made: LazyTensor = ir.LazyTensor(lambda: ir.tensor(array_of(tensor)), kind, shape, name=tensor.name)
    return made


def _serialized(ir: ModuleType, graph: IrModel, left: Mapping[int, TensorProto]) -> ModelProto:
    """The message, made of one large tensor after the other, each of which is given up as soon as it is in it: else all that
    was computed would be in memory twice. left: tensors of the model before, by what stands for them.
    """
    large = {}
    for name, value in graph.graph.initializers.items():
        held = value.const_value
        if held is not None and (id(held) in left or held.nbytes >= LEAST_BYTES):
            large[name] = held
            value.const_value = ir.tensor(np.zeros(1, np.uint8), name=name)
    made: ModelProto = ir.serde.serialize_model(graph)
    for entry in made.graph.initializer:
        held = large.pop(entry.name, None)
        if held is not None:
            name = entry.name
            entry.CopyFrom(left[id(held)] if id(held) in left else ir.serde.serialize_tensor(held))
            entry.name = name
    return made


def _bias_back(model: ModelProto) -> None:
    """A bias of zeros for each Gemm that has none: the optimizer drops those in every opset."""
    names = Names(model)
    held = constants(model)
    for graph in graphs(model.graph):
        for node in [node for node in graph.node if node.op_type == "Gemm" and is_onnx(node) and len(node.input) == 2]:
            weight = held.get(node.input[1])
            kind = np.float32 if weight is None else helper.tensor_dtype_to_np_dtype(weight.data_type)
            node.input.append(names.free(f"{node.output[0]}_bias"))
            graph.initializer.append(numpy_helper.from_array(np.zeros(1, kind), node.input[2]))


class FoldFailed(Exception):
    """The optimizer tripped over a graph; says how. It does not leave this room."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep its remarks about what it skipped out of the log; they name no node a user knows."""
    before = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in before:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
