"""Constants folded and batch norms fused into convolutions, by onnxscript's optimizer.

Apart because the library is heavy to import (about a second) and chatty: it is called in this one place, quietly.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from .names import Names, shielded
from .walk import constants, graphs, is_onnx, opset

LARGEST_VALUES = 1024
"""Numbers in a constant that the optimizer may compute: it does not ask whether the file grows, as `constants.py` does."""
OPTIONAL_BIAS = 11
"""The first opset in which Gemm may go without a bias."""
_LOGGERS = ("onnxscript", "onnx_ir")


def fold(model: ModelProto) -> ModelProto:
    """A new, optimised model; the one given may be changed.

    Raises:
        FoldFailed: the optimizer tripped over the graph.
    """
    from onnxscript import optimizer

    with _quiet():
        try:
            better = shielded(model, lambda plain: optimizer.optimize(plain, output_size_limit=LARGEST_VALUES))
        except Exception as error:
            # A library that meets strangers' graphs may raise anything; whoever calls can do without it.
            raise FoldFailed(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:120]}") from error
    if opset(better) < OPTIONAL_BIAS:
        _bias_back(better)
    return better


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
