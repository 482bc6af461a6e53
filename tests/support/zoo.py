"""Small networks of many kinds, at any opset, with a batch axis that has no size: what people bring that is not here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from networks import Graph
from onnx import TensorProto, helper

BATCH = 2


class Zoo(Graph):
    """Nodes for an opset: where an operator's settings became inputs, they are written as that opset wants them."""

    def __init__(self, opset: int) -> None:
        super().__init__()
        self.opset = opset
        self.inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, ["batch", *shape]))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def number(self, value: float) -> str:
        return self.constant(np.float32(value))

    def kernel(self, *shape: int) -> str:
        return self.constant((self.draw.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32))

    def conv(self, x: str, channels: int, out: int, size: int = 3, **attributes: object) -> str:
        group = int(attributes.get("group", 1))  # type: ignore[call-overload]
        settings = {"kernel_shape": [size, size], "pads": [size // 2] * 4, **attributes}
        return self.node("Conv", x, self.kernel(out, channels // group, size, size), self.weight(out), **settings)

    def axes(self, operator: str, x: str, *axes: int, since: int = 18, **attributes: object) -> str:
        if self.opset >= since:
            return self.node(operator, x, self.ints(*axes), **attributes)
        return self.node(operator, x, axes=list(axes), **attributes)

    def half(self, x: str, begin: int, end: int, axis: int) -> str:
        return self.node("Slice", x, self.ints(begin), self.ints(end), self.ints(axis))

    def normal(self, x: str, width: int) -> str:
        if self.opset >= 17:
            return self.node("LayerNormalization", x, self.constant(np.ones(width, np.float32)), self.weight(width), axis=-1)
        centred = self.node("Sub", x, self.axes("ReduceMean", x, -1))
        spread = self.axes("ReduceMean", self.node("Pow", centred, self.number(2)), -1)
        return self.node("Div", centred, self.node("Sqrt", self.node("Add", spread, self.number(1e-6))))

    def softmax(self, x: str, rank: int) -> str:
        return self.node("Softmax", x, axis=-1 if self.opset >= 13 else rank - 1)

    def made(self, path: Path, *outputs: str) -> Path:
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "net", self.inputs, values, self.held)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)
        return path


def masked_encoder(path: Path, opset: int) -> Path:
    """Token ids and a mask of padding, both int64, which becomes the lowest float of all."""
    g = Zoo(opset)
    x = g.node("Gather", g.weight(100, 32), g.input("input_ids", 16, kind=TensorProto.INT64))
    mask = g.node("Cast", g.input("attention_mask", 16, kind=TensorProto.INT64), to=TensorProto.FLOAT)
    wide = g.axes("Unsqueeze", mask, 1, 2, since=13)
    shut = g.node("Mul", g.node("Sub", g.number(1), wide), g.number(np.finfo(np.float32).min))
    q, k, v = (g.node("Add", g.node("MatMul", x, g.weight(32, 32)), g.weight(32)) for _ in range(3))
    q, k, v = (g.node("Transpose", g.node("Reshape", t, g.ints(0, 16, 4, 8)), perm=[0, 2, 1, 3]) for t in (q, k, v))
    scores = g.node("Div", g.node("MatMul", q, g.node("Transpose", k, perm=[0, 1, 3, 2])), g.number(2.83))
    shares = g.softmax(g.node("Add", scores, shut), 4)
    y = g.node("Reshape", g.node("Transpose", g.node("MatMul", shares, v), perm=[0, 2, 1, 3]), g.ints(0, 16, 32))
    x = g.normal(g.node("Add", x, g.node("MatMul", y, g.weight(32, 32))), 32)
    first = g.node("Gather", x, g.constant(np.int64(0)), axis=1)
    return g.made(path, g.node("Gemm", g.node("Tanh", first), g.weight(32, 3), g.weight(3)))


def recurrent(path: Path, opset: int) -> Path:
    """An LSTM, then a GRU that begins with a state of its own."""
    g = Zoo(opset)
    x = g.node("Transpose", g.input("sequence", 12, 16), perm=[1, 0, 2])
    x = g.node("LSTM", x, g.kernel(1, 128, 16), g.kernel(1, 128, 32), g.kernel(1, 256), hidden_size=32)
    x = g.node("Reshape", x, g.ints(12, -1, 32))
    begin = g.node("Reshape", g.input("state", 32), g.ints(1, -1, 32))
    x = g.node("GRU", x, g.kernel(1, 96, 32), g.kernel(1, 96, 32), g.kernel(1, 192), "", begin, hidden_size=32)
    last = g.node("Reshape", g.node("Gather", x, g.constant(np.int64(11)), axis=0), g.ints(-1, 32))
    return g.made(path, g.node("MatMul", last, g.weight(32, 5)))


def u_shaped(path: Path, opset: int) -> Path:
    g = Zoo(opset)
    high = g.node("Relu", g.conv(g.input("image", 3, 32, 32), 3, 16))
    half = g.node("Relu", g.conv(g.node("MaxPool", high, kernel_shape=[2, 2], strides=[2, 2]), 16, 32))
    low = g.node("Relu", g.conv(g.node("MaxPool", half, kernel_shape=[2, 2], strides=[2, 2]), 32, 32))
    up = g.node("ConvTranspose", low, g.kernel(32, 32, 2, 2), g.weight(32), strides=[2, 2])
    up = g.node("Relu", g.conv(g.node("Concat", up, half, axis=1), 64, 32))
    nothing = "" if opset >= 13 else g.constant(np.zeros(0, np.float32))
    up = g.node("Resize", up, nothing, g.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear")
    return g.made(path, g.node("Sigmoid", g.conv(g.node("Concat", up, high, axis=1), 48, 1)))


def grouped(path: Path, opset: int) -> Path:
    """Depthwise and grouped convolutions, transposed ones among them, and norms that nothing can swallow."""
    g = Zoo(opset)
    figures = [[g.constant(np.abs(g.draw.standard_normal(c)).astype(np.float32) + 0.1) for _ in range(4)] for c in (3, 32)]
    x = g.node("BatchNormalization", g.input("image", 3, 16, 16), *figures[0])
    x = g.node("Relu", g.conv(g.node("Relu", x), 3, 32))
    x = g.node("BatchNormalization", g.node("Relu", g.conv(x, 32, 32, group=32)), *figures[1])
    x = g.node("Relu", g.conv(x, 32, 32, group=4))
    x = g.node("ConvTranspose", x, g.kernel(32, 8, 2, 2), strides=[2, 2], group=4)
    x = g.node("ConvTranspose", x, g.kernel(32, 1, 2, 2), strides=[2, 2], group=32)
    x = g.node("Flatten", g.node("GlobalAveragePool", x))
    return g.made(path, g.node("LogSoftmax", g.node("Gemm", x, g.weight(32, 10), g.weight(10)), axis=1))


def products(path: Path, opset: int) -> Path:
    """Gemm each way round, and MatMul with constants of two and three axes on either side."""
    g = Zoo(opset)
    x = g.node("Relu", g.node("Gemm", g.input("x", 32), g.weight(32, 48), g.weight(48)))
    x = g.node("Relu", g.node("Gemm", x, g.kernel(64, 48), g.weight(64), transB=1, alpha=0.5))
    x = g.node("Reshape", x, g.ints(-1, 4, 16))
    x = g.node("MatMul", g.node("MatMul", x, g.weight(16, 24)), g.kernel(1, 24, 16))
    x = g.node("MatMul", g.weight(8, 4), x)
    return g.made(path, g.node("MatMul", x, g.weight(16)))


def signal(path: Path, opset: int) -> Path:
    g = Zoo(opset)
    x = g.node("Relu", g.node("Conv", g.input("signal", 4, 64), g.kernel(16, 4, 5), g.weight(16), pads=[2, 2]))
    x = g.node("MaxPool", x, kernel_shape=[2], strides=[2])
    x = g.node("Relu", g.node("Conv", x, g.kernel(16, 1, 3), g.weight(16), group=16, pads=[1, 1]))
    x = g.node("ConvTranspose", x, g.kernel(16, 8, 2), strides=[2])
    return g.made(path, g.node("Gemm", g.node("Flatten", g.node("GlobalAveragePool", x)), g.weight(8, 4), g.weight(4)))


def squeezing(path: Path, opset: int) -> Path:
    """Gates, splits, pixels rearranged, reflection, the best three."""
    g = Zoo(opset)
    x = g.conv(g.input("image", 3, 16, 16), 3, 16)
    x = g.node("Mul", x, g.node("Sigmoid", x))
    gate = g.node("HardSigmoid", g.conv(g.node("Relu", g.conv(g.axes("ReduceMean", x, 2, 3), 16, 8, 1)), 8, 16, 1))
    x = g.node("Mul", x, gate)
    x = g.node("Concat", g.conv(g.half(x, 0, 8, 1), 8, 8), g.half(x, 8, 16, 1), axis=1)
    x = g.node("Pad", g.node("DepthToSpace", x, blocksize=2), g.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    peaks = g.axes("ReduceMax", g.node("Elu", g.conv(x, 4, 8)), 2, 3, keepdims=0)
    g.nodes.append(helper.make_node("TopK", [peaks, g.ints(3)], ["best", "places"], axis=1, name="best"))
    return g.made(path, "best")


def detector(path: Path, opset: int) -> Path:
    """Boxes by sigmoid and exponent, classes by softmax, as one-stage detectors end."""
    g = Zoo(opset)
    x = g.node("LeakyRelu", g.conv(g.input("image", 3, 32, 32), 3, 16, strides=[2, 2]), alpha=0.1)
    x = g.node("Concat", x, g.node("MaxPool", x, kernel_shape=[5, 5], pads=[2, 2, 2, 2], strides=[1, 1]), axis=1)
    x = g.node("Transpose", g.node("Reshape", g.conv(x, 32, 20, 1), g.ints(0, 2, 10, 256)), perm=[0, 1, 3, 2])
    places = g.node("Mul", g.node("Add", g.node("Sigmoid", g.half(x, 0, 2, 3)), g.kernel(1, 1, 256, 2)), g.number(8))
    return g.made(path, g.node("Concat", places, g.node("Exp", g.half(x, 2, 4, 3)), g.softmax(g.half(x, 4, 10, 3), 4), axis=3))


NETWORKS: dict[str, Callable[[Path, int], Path]] = {
    make.__name__: make for make in (masked_encoder, recurrent, u_shaped, grouped, products, signal, squeezing, detector)
}
