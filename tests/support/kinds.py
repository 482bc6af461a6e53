"""Small graphs for quantization: every kind of chain, join, pool and move of values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from nodes import Net
from onnx import ModelProto, TensorProto, helper


def image(made: Net, channels: int = 3) -> str:
    return made.input("image", 1, channels, 16, 16)


def classifier(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    x = made.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = made.node("Relu", made.conv(x, 16, 16))
    x = made.node("Flatten", made.node("GlobalAveragePool", x))
    return made.model(made.node("Gemm", x, made.weight(10, 16), made.weight(10), transB=1))


def residual(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    y = made.conv(made.node("Relu", made.conv(x, 16, 16)), 16, 16)
    x = made.node("Relu", made.node("Add", x, y))
    z = made.conv(x, 16, 16, strides=[2, 2])
    ends = [made.constant(np.array(n)) for n in ([0, 0], [1 << 40, 1 << 40], [2, 3], [2, 2])]
    x = made.node("Slice", x, *ends)
    x = made.node("Relu", made.node("Sum", z, x))
    return made.model(made.conv(x, 16, 8))


def padded_shortcut(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 8))
    y = made.conv(x, 8, 16)
    x = made.node("Pad", x, made.constant(np.array([0, 4, 0, 0, 0, 4, 0, 0])))
    return made.model(made.conv(made.node("Relu", made.node("Add", x, y)), 16, 4))


def mobile(made: Net) -> ModelProto:
    limits = made.constant(np.float32(0.0)), made.constant(np.float32(6.0))
    x = made.node("Clip", made.conv(image(made), 3, 16), *limits)
    x = made.node("Clip", made.conv(x, 16, 16, group=16), *limits)
    return made.model(made.conv(x, 16, 8, size=1))


def squeeze_excite(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    gate = made.node("Relu", made.conv(made.node("GlobalAveragePool", x), 16, 8, size=1))
    gate = made.node("Sigmoid", made.conv(gate, 8, 16, size=1))
    return made.model(made.conv(made.node("Mul", x, gate), 16, 8))


def swish(made: Net) -> ModelProto:
    x = made.conv(image(made), 3, 16)
    x = made.node("Mul", x, made.node("Sigmoid", x))
    return made.model(made.conv(x, 16, 8))


def branches(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    one = made.node("LeakyRelu", made.conv(x, 16, 8, size=1), alpha=0.1)
    two = made.node("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = made.node("Concat", one, two, axis=1)
    return made.model(made.conv(x, 24, 8))


def split(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    first = made.node("Split", x, made.constant(np.array([8, 8])), outputs=2, axis=1)
    x = made.node("Concat", made.conv(first, 8, 8), f"{first}_1", axis=1)
    x = made.node("Resize", x, "", made.constant(np.array([1.0, 1.0, 2.0, 2.0])), mode="nearest")
    return made.model(made.conv(x, 16, 4))


def upsample(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    x = made.node("ConvTranspose", x, made.weight(16, 8, 2, 2), strides=[2, 2])
    return made.model(made.conv(made.node("Relu", x), 8, 4))


def late_relu(made: Net) -> ModelProto:
    """A Relu beside another reader of the convolution: it cannot go into the range."""
    x = made.conv(image(made), 3, 16)
    y = made.conv(made.node("Relu", x), 16, 16)
    return made.model(made.conv(made.node("Add", x, y), 16, 4))


def inner_output(made: Net) -> ModelProto:
    """A graph output that the next convolution reads."""
    x = made.node("Relu", made.conv(image(made), 3, 16))
    return made.model(x, made.conv(x, 16, 4))


def shared_weight(made: Net) -> ModelProto:
    """One kernel for two convolutions, one matrix for a product and, transposed, for a Gemm."""
    kernel, x = made.weight(8, 8, 3, 3), made.conv(image(made), 3, 8)
    for _ in range(2):
        x = made.node("Relu", made.node("Conv", x, kernel, pads=[1, 1, 1, 1]))
    matrix = made.weight(8, 8)
    x = made.node("Flatten", made.node("GlobalAveragePool", x))
    return made.model(made.node("Gemm", made.node("Relu", made.node("MatMul", x, matrix)), matrix, transB=1))


def gemm_factors(made: Net) -> ModelProto:
    x = made.input("image", 1, 32)
    x = made.node("Relu", made.node("Gemm", x, made.weight(32, 16), made.weight(1, 16), alpha=0.5, beta=2.0))
    x = made.node("Relu", made.node("Gemm", x, made.weight(16, 16), made.constant(np.float32(0.3))))
    return made.model(made.node("Gemm", x, made.weight(16, 10)))


def attention(made: Net) -> ModelProto:
    tokens = made.input("tokens", 1, 12, kind=TensorProto.INT64)
    x = made.node("Gather", made.weight(10, 32, scale=1.0), tokens)
    heads = []
    for _ in range(3):
        y = made.node("Add", made.node("MatMul", x, made.weight(32, 32)), made.weight(32, scale=0.1))
        y = made.node("Reshape", y, made.constant(np.array([1, 12, 4, 8])))
        heads.append(made.node("Transpose", y, perm=[0, 2, 1, 3]))
    scores = made.node("MatMul", heads[0], made.node("Transpose", heads[1], perm=[0, 1, 3, 2]))
    shares = made.node("Softmax", made.node("Mul", scores, made.constant(np.float32(0.35))), axis=-1)
    y = made.node("Transpose", made.node("MatMul", shares, heads[2]), perm=[0, 2, 1, 3])
    y = made.node("MatMul", made.node("Reshape", y, made.constant(np.array([1, 12, 32]))), made.weight(32, 32))
    x = made.node("LayerNormalization", made.node("Add", x, y), made.weight(32, scale=0.0), made.weight(32), axis=-1)
    return made.model(made.node("MatMul", x, made.weight(32, 5)))


def captured(made: Net) -> ModelProto:
    """A body that reads a tensor of the graph around it."""
    x = made.node("Relu", made.conv(image(made), 3, 8))
    value = helper.make_tensor_value_info("inside", TensorProto.FLOAT, None)
    bodies = [helper.make_graph([helper.make_node(op, [x], ["inside"])], op, [], [value]) for op in ("Neg", "Identity")]
    y = made.node("If", made.constant(np.array(True)), then_branch=bodies[0], else_branch=bodies[1])
    return made.model(made.conv(x, 8, 4), y)


def moved(made: Net) -> ModelProto:
    """Every way of moving values that works on integers as well."""
    x = made.node("Relu", made.conv(image(made), 3, 16))
    x = made.node("Unsqueeze", x, made.constant(np.array([0])))
    x = made.node("Expand", x, made.constant(np.array([3, 1, 16, 16, 16])))
    x = made.node("Tile", x, made.constant(np.array([1, 1, 1, 1, 2])))
    x = made.node("Gather", x, made.constant(np.array(2)), axis=0)
    x = made.node("Identity", made.node("Transpose", x, perm=[0, 1, 3, 2]))
    x = made.node("Pad", x, made.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), mode="reflect")
    x = made.node("Slice", x, *(made.constant(np.array([n])) for n in (-1, -20, 2, -1)))
    return made.model(made.conv(x, 16, 4))


def signal(made: Net) -> ModelProto:
    x = made.input("signal", 1, 2, 64)
    x = made.node("Relu", made.node("Conv", x, made.weight(16, 2, 5), made.weight(16), auto_pad="SAME_UPPER"))
    x = made.node("MaxPool", x, kernel_shape=[2], strides=[2])
    return made.model(made.node("Conv", x, made.weight(8, 16, 3), dilations=[2]))


def volume(made: Net) -> ModelProto:
    x = made.input("volume", 1, 1, 8, 8, 8)
    x = made.node("Relu", made.node("Conv", x, made.weight(16, 1, 3, 3, 3), made.weight(16)))
    return made.model(made.node("Conv", x, made.weight(8, 16, 3, 3, 3)))


def segmenter(made: Net) -> ModelProto:
    """Values that are moved, clipped and joined in odd places."""
    x = made.node("Relu", made.conv(image(made), 3, 16))
    low = made.node("Relu", made.conv(made.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 16, 16))
    high = made.node("Resize", low, "", made.constant(np.array([1.0, 1.0, 2.0, 2.0])), mode="linear")
    x = made.node("Add", made.node("Concat", x, high, axis=1), made.weight(1, 32, 1, 1))
    x = made.node("Clip", x, made.constant(np.float32(-0.3)), made.constant(np.float32(0.4)))
    return made.model(made.conv(made.node("HardSigmoid", x), 32, 4))


NETS: dict[str, Callable[[Net], ModelProto]] = {
    build.__name__: build
    for build in (
        classifier,
        residual,
        padded_shortcut,
        mobile,
        squeeze_excite,
        swish,
        branches,
        split,
        upsample,
        late_relu,
        inner_output,
        shared_weight,
        gemm_factors,
        attention,
        captured,
        moved,
        signal,
        volume,
        segmenter,
    )
}
