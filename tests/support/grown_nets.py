"""Networks of blocks drawn by lot: every way in which channels are made, joined, cut and read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from nodes import Net
from onnx import ModelProto


class Grower:
    """A network that grows by blocks drawn by lot."""

    def __init__(self, made: Net, channels: int) -> None:
        self.made, self.channels = made, channels
        self.x = made.node("Relu", made.conv(made.input("image", 1, 3, 8, 8), 3, channels))

    def figures(self, count: int) -> list[str]:
        draw = self.made.draw
        return [self.made.constant((np.abs(draw.standard_normal(count)) + 0.2).astype(np.float32)) for _ in range(4)]

    def plain(self) -> None:
        self.x = self.made.node("Relu", self.made.conv(self.x, self.channels, 16))
        self.channels = 16

    def normalised(self) -> None:
        self.x = self.made.node("BatchNormalization", self.x, *self.figures(self.channels))

    def instance(self) -> None:
        self.x = self.made.node("InstanceNormalization", self.x, *self.figures(self.channels)[:2])

    def depthwise(self) -> None:
        self.x = self.made.conv(self.x, self.channels, self.channels, group=self.channels)

    def doubled(self) -> None:
        self.x = self.made.conv(self.x, self.channels, 2 * self.channels, group=self.channels)
        self.channels *= 2

    def grouped(self) -> None:
        groups = 2 if self.channels % 2 == 0 else 1
        self.x = self.made.node("Relu", self.made.conv(self.x, self.channels, self.channels, group=groups))

    def residual(self) -> None:
        y = self.made.node("Relu", self.made.conv(self.x, self.channels, 12))
        self.x = self.made.node("Relu", self.made.node("Add", self.made.conv(y, 12, self.channels), self.x))

    def padded(self) -> None:
        y = self.made.conv(self.x, self.channels, self.channels + 8)
        x = self.made.node("Pad", self.x, self.made.constant(np.array([0, 4, 0, 0, 0, 4, 0, 0])))
        self.x, self.channels = self.made.node("Relu", self.made.node("Add", x, y)), self.channels + 8

    def branches(self) -> None:
        one = self.made.conv(self.x, self.channels, 8, size=1)
        self.x = self.made.node("Concat", one, self.made.node("Relu", self.x), axis=1)
        self.channels += 8

    def split(self) -> None:
        half = self.channels // 2
        sizes = self.made.constant(np.array([half, self.channels - half]))
        first = self.made.node("Split", self.x, sizes, outputs=2, axis=1)
        one = self.made.node("Relu", self.made.conv(first, half, 12))
        self.x, self.channels = self.made.node("Concat", one, f"{first}_1", axis=1), 12 + self.channels - half

    def sliced(self) -> None:
        if self.channels < 8:
            return
        ends = [self.made.constant(np.array([n])) for n in (2, self.channels - 2, 1)]
        self.x, self.channels = self.made.node("Slice", self.x, *ends), self.channels - 4

    def gated(self) -> None:
        gate = self.made.node("Relu", self.made.conv(self.made.node("GlobalAveragePool", self.x), self.channels, 8, size=1))
        gate = self.made.node("Sigmoid", self.made.conv(gate, 8, self.channels, size=1))
        self.x = self.made.node("Mul", self.x, gate)

    def sloped(self) -> None:
        self.x = self.made.node("PRelu", self.x, self.made.weight(self.channels, 1, 1))

    def transposed(self) -> None:
        weight = self.made.weight(self.channels, 12, 2, 2)
        x = self.made.node("ConvTranspose", self.x, weight, self.made.weight(12, scale=0.1), strides=[2, 2])
        self.x, self.channels = self.made.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 12

    def resized(self) -> None:
        scales = self.made.constant(np.array([1.0, 1.0, 2.0, 2.0], np.float32))
        x = self.made.node("Resize", self.x, "", scales, mode="nearest")
        self.x = self.made.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])

    def shuffled(self) -> None:
        if self.channels % 4:
            return
        half = self.channels // 4
        x = self.made.node("Reshape", self.x, self.made.constant(np.array([1, 4, half, 8, 8])))
        x = self.made.node("Transpose", x, perm=[0, 2, 1, 3, 4])
        self.x = self.made.node("Reshape", x, self.made.constant(np.array([1, -1, 8, 8])))

    def finished(self) -> ModelProto:
        x = self.made.node("Flatten", self.made.node("GlobalAveragePool", self.x))
        x = self.made.node(
            "Relu", self.made.node("Gemm", x, self.made.weight(24, self.channels), self.made.weight(24), transB=1)
        )
        return self.made.model(self.made.node("MatMul", x, self.made.weight(24, 5)))


BLOCKS: dict[str, Callable[[Grower], None]] = {
    name: block for name, block in vars(Grower).items() if callable(block) and name not in ("__init__", "figures", "finished")
}


def grown(blocks: list[str], channels: int, seed: int) -> ModelProto:
    made = Net()
    made.draw = np.random.default_rng(seed)
    grower = Grower(made, channels)
    for block in blocks:
        BLOCKS[block](grower)
    return grower.finished()
