"""A detector in the style of YOLOv8, with the output of its exports: (batch, 4 + classes, places).

The architecture as Ultralytics made it public (cfg/models/v8/yolov8.yaml, nn/modules/block.py and head.py); written anew. Boxes
are distances from a place's middle to the four sides, each the mean of a distribution over 16 values (Li et al. 2020,
Generalized Focal Loss, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .architecture import NetworkSize
from .onnx_builder import Maps, OnnxBuilder
from .residual import pixels

BINS = 16
"""Values that a distance may have, in steps of a place's stride."""
STRIDES = (8, 16, 32)
RAW = "raw"
"""Inside the graph, (batch, 4 x BINS + classes, places): logarithms of distributions, then of classes, for losses."""


def places(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Middles (2, places) in pixels of the image, x before y, and strides (places,), in the order of the output."""
    middles, strides = [], []
    for stride in STRIDES:
        rows, columns = ((np.arange(side // stride, dtype=np.float32) + 0.5) * stride for side in (height, width))
        down, across = np.meshgrid(rows, columns, indexing="ij")
        middles.append(np.stack([across.ravel(), down.ravel()]))
        strides.append(np.full(down.size, stride, np.float32))
    return np.concatenate(middles, axis=1), np.concatenate(strides)


def yolo(depth: float, most: int) -> Callable[[OnnxBuilder, NetworkSize], None]:
    """`depth`: times the repeats; `most`: channels at most, before the width is applied. The side is a multiple of 32."""

    def build(net: OnnxBuilder, size: NetworkSize) -> None:
        def wide(channels: int) -> int:
            return size.wide(min(channels, most))

        def repeats(number: int) -> int:
            return max(round(number * depth), 1)

        x = _silu(net, pixels(net, size), wide(64), 2, "model.0")
        x = _silu(net, x, wide(128), 2, "model.1")
        x = _c2f(net, x, wide(128), repeats(3), "model.2", shortcut=True)
        x = _silu(net, x, wide(256), 2, "model.3")
        fine = _c2f(net, x, wide(256), repeats(6), "model.4", shortcut=True)
        x = _silu(net, fine, wide(512), 2, "model.5")
        middle = _c2f(net, x, wide(512), repeats(6), "model.6", shortcut=True)
        x = _silu(net, middle, wide(1024), 2, "model.7")
        x = _c2f(net, x, wide(1024), repeats(3), "model.8", shortcut=True)
        coarse = _sppf(net, x, wide(1024), "model.9")
        x = net.joined(net.enlarged(coarse, 2), middle)
        neck = _c2f(net, x, wide(512), repeats(3), "model.12", shortcut=False)
        x = net.joined(net.enlarged(neck, 2), fine)
        first = _c2f(net, x, wide(256), repeats(3), "model.15", shortcut=False)
        x = net.joined(_silu(net, first, wide(256), 2, "model.16"), neck)
        second = _c2f(net, x, wide(512), repeats(3), "model.18", shortcut=False)
        x = net.joined(_silu(net, second, wide(512), 2, "model.19"), coarse)
        third = _c2f(net, x, wide(1024), repeats(3), "model.21", shortcut=False)
        with net.within("model.22"):
            _head(net, (first, second, third), size)

    return build


def _silu(net: OnnxBuilder, x: Maps, out: int, stride: int, layer: str) -> Maps:
    return net.block(x, out, 3, stride, act="silu", layer=layer)


def _c2f(net: OnnxBuilder, x: Maps, out: int, repeats: int, layer: str, *, shortcut: bool) -> Maps:
    """Half of the channels go through bottlenecks, and what each gives is kept."""
    with net.within(layer):
        half = out // 2
        both = net.block(x, 2 * half, 1, act="silu", layer="cv1")
        halves = net.nodes("Split", [both.name, net.ints(half, half)], 2, axis=1)
        parts = [Maps(name, half, both.side) for name in halves]
        for number in range(repeats):
            y = net.block(parts[-1], half, act="silu", layer=f"m.{number}.cv1")
            y = net.block(y, half, act="silu", layer=f"m.{number}.cv2")
            parts.append(net.add(parts[-1], y) if shortcut else y)
        return net.block(net.joined(*parts), out, 1, act="silu", layer="cv2")


def _sppf(net: OnnxBuilder, x: Maps, out: int, layer: str) -> Maps:
    """Three maxima of 5x5, one after another (He et al. 2015, Spatial Pyramid Pooling, made cheap)."""
    with net.within(layer):
        parts = [net.block(x, x.channels // 2, 1, act="silu", layer="cv1")]
        for _ in range(3):
            parts.append(net.pooled(parts[-1], "MaxPool", 5, 1))
        return net.block(net.joined(*parts), out, 1, act="silu", layer="cv2")


def _head(net: OnnxBuilder, levels: Sequence[Maps], size: NetworkSize) -> None:
    """Boxes and classes of each level by convolutions of their own, then both as one output."""
    boxes, scores = max(16, levels[0].channels // 4, 4 * BINS), max(levels[0].channels, min(size.classes, 100))
    if size.width < 0.25:
        boxes = size.wide(256, least=16)
    flat = []
    for number, level in enumerate(levels):
        sides = _branch(net, level, boxes, 4 * BINS, f"cv2.{number}")
        kinds = _branch(net, level, scores, size.classes, f"cv3.{number}")
        both = net.joined(sides, kinds)
        flat.append(net.node("Reshape", both.name, net.ints(0, 4 * BINS + size.classes, -1)))
    count = sum((level.side) ** 2 for level in levels)
    net.rename(net.node("Concat", *flat, axis=2), RAW)
    distances, likely = net.nodes("Split", [RAW, net.ints(4 * BINS, size.classes)], 2, axis=1)
    whole = net.node("Concat", _boxes(net, distances, count, size.side * size.enlarge), net.node("Sigmoid", likely), axis=1)
    net.output(whole, "output0", 4 + size.classes, count)


def _branch(net: OnnxBuilder, x: Maps, inner: int, out: int, layer: str) -> Maps:
    x = net.block(x, inner, act="silu", layer=f"{layer}.0")
    x = net.block(x, inner, act="silu", layer=f"{layer}.1")
    return net.conv(x, out, 1, bias=True, layer=f"{layer}.2")


def _boxes(net: OnnxBuilder, distances: str, count: int, side: int) -> str:
    """Centre and size in pixels of the image, (batch, 4, places)."""
    x = net.node("Transpose", net.node("Reshape", distances, net.ints(0, 4, BINS, count)), perm=[0, 2, 1, 3])
    weight = net.held("dfl.conv.weight", np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1))
    net.frozen.add(weight)
    x = net.node("Conv", net.node("Softmax", x, axis=1), weight, layer="dfl.conv", kernel_shape=[1, 1])
    before, behind = net.nodes("Split", [net.node("Reshape", x, net.ints(0, 4, count)), net.ints(2, 2)], 2, axis=1)
    middles, strides = places(side, side)
    at = net.held("anchors", (middles / strides)[None])
    first, last = net.node("Sub", at, before), net.node("Add", behind, at)
    centre = net.node("Div", net.node("Add", first, last), net.number(2.0))
    both = net.node("Concat", centre, net.node("Sub", last, first), axis=1)
    return net.node("Mul", both, net.held("strides", strides[None]))
