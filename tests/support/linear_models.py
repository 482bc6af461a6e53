"""Linear models of six numbers and three classes, as ONNX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FEATURES, CLASSES = 6, 3


def linear(path: Path, weights: np.ndarray, *, softmax: bool = False) -> Path:
    """y = x W, or its softmax; one sample at a time."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, FEATURES])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CLASSES])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["scores" if softmax else "y"])]
    nodes += [helper.make_node("Softmax", ["scores"], ["y"], axis=-1)] if softmax else []
    graph = helper.make_graph(nodes, "linear", [x], [y], [numpy_helper.from_array(weights.astype(np.float32), "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
