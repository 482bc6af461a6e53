"""A small transformer encoder and a small LSTM, made node by node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Nodes and weights under construction; weights are drawn from a fixed seed."""

    def __init__(self) -> None:
        self.draw = np.random.default_rng(3)
        self.nodes: list[onnx.NodeProto] = []
        self.held: list[onnx.TensorProto] = []

    def weight(self, *shape: int) -> str:
        return self.constant((self.draw.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32))

    def constant(self, values: object) -> str:
        self.held.append(numpy_helper.from_array(np.asarray(values), f"w{len(self.held)}"))
        return self.held[-1].name

    def node(self, operator: str, *inputs: str, **attributes: object) -> str:
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def save(self, path: Path, inputs: list[onnx.ValueInfoProto], output: str, shape: list[int], opset: int = 17) -> Path:
        self.nodes.append(helper.make_node("Identity", [output], ["out"], name="result"))
        outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)]
        graph = helper.make_graph(self.nodes, "net", inputs, outputs, self.held)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 9
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        return path


def transformer(path: Path, layers: int = 2, width: int = 64, heads: int = 4, length: int = 16) -> Path:
    """Token ids (int64, 1 x length) through an embedding and encoder layers with normalisation before each half."""
    g = Graph()
    x = g.node("Gather", g.weight(100, width), "tokens")
    for _ in range(layers):
        normal = _normal(g, x, width)
        q, k, v = (g.node("Add", g.node("MatMul", normal, g.weight(width, width)), g.weight(width)) for _ in range(3))
        split = g.constant(np.array([0, length, heads, width // heads], dtype=np.int64))
        q, v = (g.node("Transpose", g.node("Reshape", t, split), perm=[0, 2, 1, 3]) for t in (q, v))
        k = g.node("Transpose", g.node("Reshape", k, split), perm=[0, 2, 3, 1])
        scores = g.node("Div", g.node("MatMul", q, k), g.constant(np.float32(np.sqrt(width // heads))))
        mixed = g.node("MatMul", g.node("Softmax", scores, axis=-1), v)
        joined = g.node("Transpose", mixed, perm=[0, 2, 1, 3])
        flat = g.node("Reshape", joined, g.constant(np.array([0, length, width], dtype=np.int64)))
        x = g.node("Add", x, g.node("Add", g.node("MatMul", flat, g.weight(width, width)), g.weight(width)))
        inner = g.node("Add", g.node("MatMul", _normal(g, x, width), g.weight(width, 4 * width)), g.weight(4 * width))
        scaled = g.node("Div", inner, g.constant(np.float32(np.sqrt(2))))
        gelu = g.node(
            "Mul",
            g.node("Mul", inner, g.node("Add", g.node("Erf", scaled), g.constant(np.float32(1)))),
            g.constant(np.float32(0.5)),
        )
        x = g.node("Add", x, g.node("Add", g.node("MatMul", gelu, g.weight(4 * width, width)), g.weight(width)))
    pooled = g.node("ReduceMean", _normal(g, x, width), axes=[1], keepdims=0)
    logits = g.node("Gemm", pooled, g.weight(width, 2), g.weight(2))
    return g.save(path, [helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, length])], logits, [1, 2])


def _normal(g: Graph, x: str, width: int) -> str:
    return g.node("LayerNormalization", x, g.constant(np.ones(width, np.float32)), g.weight(width), axis=-1)


def lstm(path: Path, length: int = 12, width: int = 16, hidden: int = 32) -> Path:
    """A sequence (length x 1 x width) through an LSTM in both directions and a fully connected layer."""
    g = Graph()
    w, r, b = (
        g.constant((g.draw.standard_normal(s) * 0.1).astype(np.float32))
        for s in ((2, 4 * hidden, width), (2, 4 * hidden, hidden), (2, 8 * hidden))
    )
    y = g.node("LSTM", "sequence", w, r, b, hidden_size=hidden, direction="bidirectional")
    last = g.node("Gather", y, g.constant(np.int64(length - 1)), axis=0)
    flat = g.node("Reshape", last, g.constant(np.array([1, 2 * hidden], dtype=np.int64)))
    logits = g.node("Gemm", flat, g.weight(2 * hidden, 3), g.weight(3))
    return g.save(path, [helper.make_tensor_value_info("sequence", TensorProto.FLOAT, [length, 1, width])], logits, [1, 3])
