"""One-stage detectors as Ultralytics exports them (v8, v10, 11; boxes, poses, masks), node by node, with weights by lot.

From the published architectures: C2f, C3k2, SPPF, C2PSA, SCDown, CIB, heads with distribution focal loss. Activations are SiLU,
batch norms are in their convolutions, as exports have them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from nodes import Net
from onnx import ModelProto, TensorProto

CLASSES, BINS, MASKS, KEYPOINTS = 80, 16, 32, 17


class OneStage(Net):
    """A detector under construction; `sliced`: halves are cut by Slice, as some exporters write a chunk."""

    def __init__(self, pixels: int = 64, *, sliced: bool = False) -> None:
        super().__init__(17)
        self.pixels, self.sliced = pixels, sliced

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def cv(self, x: str, c1: int, c2: int, k: int = 1, s: int = 1, g: int = 1, *, act: bool = True) -> str:
        x = self.conv(x, c1, c2, k, strides=[s, s], group=g)
        return self.node("Mul", x, self.node("Sigmoid", x)) if act else x

    def parts(self, x: str, *sizes: int, axis: int = 1) -> list[str]:
        if not self.sliced:
            first = self.node("Split", x, self.ints(*sizes), outputs=len(sizes), axis=axis)
            return [first, *(f"{first}_{place}" for place in range(1, len(sizes)))]
        ends = np.cumsum(sizes).tolist()
        starts = [0, *ends[:-1]]
        return [self.node("Slice", x, *map(self.ints, (a, b, axis, 1))) for a, b in zip(starts, ends, strict=True)]

    def bottleneck(self, x: str, c: int, *, add: bool, e: float = 1.0) -> str:
        y = self.cv(self.cv(x, c, int(c * e), 3), int(c * e), c, 3)
        return self.node("Add", x, y) if add else y

    def c2f(
        self, x: str, c1: int, c2: int, n: int = 1, *, add: bool = False, block: Callable[[str, int], str] | None = None
    ) -> str:
        c = c2 // 2
        found = self.parts(self.cv(x, c1, 2 * c), c, c)
        for _ in range(n):
            found.append(block(found[-1], c) if block else self.bottleneck(found[-1], c, add=add))
        return self.cv(self.node("Concat", *found, axis=1), (2 + n) * c, c2)

    def c3k2(self, x: str, c1: int, c2: int, e: float = 0.5, *, deep: bool) -> str:
        c = int(c2 * e)
        first, second = self.parts(self.cv(x, c1, 2 * c), c, c)
        third = self.c3k(second, c) if deep else self.bottleneck(second, c, add=True, e=0.5)
        return self.cv(self.node("Concat", first, second, third, axis=1), 3 * c, c2)

    def c3k(self, x: str, c: int) -> str:
        y = self.cv(x, c, c // 2)
        for _ in range(2):
            y = self.bottleneck(y, c // 2, add=True)
        return self.cv(self.node("Concat", y, self.cv(x, c, c // 2), axis=1), c, c)

    def cib(self, x: str, c: int) -> str:
        """Depthwise and pointwise by turns (v10)."""
        y = self.cv(self.cv(x, c, c, 3, g=c), c, 2 * c)
        y = self.cv(self.cv(y, 2 * c, 2 * c, 7, g=2 * c), 2 * c, c)
        return self.node("Add", x, self.cv(y, c, c, 3, g=c))

    def scdown(self, x: str, c1: int, c2: int) -> str:
        return self.cv(self.cv(x, c1, c2), c2, c2, 3, 2, c2, act=False)

    def sppf(self, x: str, c: int) -> str:
        found = [self.cv(x, c, c // 2)]
        for _ in range(3):
            found.append(self.node("MaxPool", found[-1], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1]))
        return self.cv(self.node("Concat", *found, axis=1), 2 * c, c)

    def attention(self, x: str, c: int, side: int) -> str:
        heads = max(c // 64, 1)
        head, key = c // heads, c // heads // 2
        y = self.node(
            "Reshape", self.cv(x, c, c + 2 * key * heads, act=False), self.ints(1, heads, 2 * key + head, side * side)
        )
        q, k, v = self.parts(y, key, key, head, axis=2)
        scores = self.node("MatMul", self.node("Transpose", q, perm=[0, 1, 3, 2]), k)
        shares = self.node("Softmax", self.node("Mul", scores, self.constant(np.float32(key**-0.5))), axis=-1)
        seen = self.node("MatMul", v, self.node("Transpose", shares, perm=[0, 1, 3, 2]))
        square = self.ints(1, c, side, side)
        place = self.cv(self.node("Reshape", v, square), c, c, 3, g=c, act=False)
        return self.cv(self.node("Add", self.node("Reshape", seen, square), place), c, c, act=False)

    def c2psa(self, x: str, c: int, side: int) -> str:
        first, second = self.parts(self.cv(x, c, c), c // 2, c // 2)
        half = c // 2
        second = self.node("Add", second, self.attention(second, half, side))
        second = self.node("Add", second, self.cv(self.cv(second, half, c), c, half, act=False))
        return self.cv(self.node("Concat", first, second, axis=1), c, c)

    def up(self, x: str) -> str:
        return self.node("Resize", x, "", self.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest")

    def cat(self, *names: str, axis: int = 1) -> str:
        return self.node("Concat", *names, axis=axis)

    def neck(
        self, levels: list[str], first: int, block: Callable[[str, int, int], str], down: Callable[[str, int], str]
    ) -> list[str]:
        """Up and down again (PAN); of `first` channels, 128 and 256 come 64, 128 and 256."""
        small, middle, large = levels
        mid = block(self.cat(self.up(large), middle), 384, 128)
        low = block(self.cat(self.up(mid), small), 128 + first, 64)
        mid = block(self.cat(down(low, 64), mid), 192, 128)
        return [low, mid, block(self.cat(down(mid, 128), large), 384, 256)]

    def branch(self, x: str, c: int, inner: int, out: int, *, light: bool = False) -> str:
        if light:
            x = self.cv(self.cv(x, c, c, 3, g=c), c, inner)
            x = self.cv(self.cv(x, inner, inner, 3, g=inner), inner, inner)
        else:
            x = self.cv(self.cv(x, c, inner, 3), inner, inner, 3)
        return self.cv(x, inner, out, act=False)

    def flat(self, x: str, channels: int) -> str:
        return self.node("Reshape", x, self.ints(1, channels, -1))

    @property
    def anchors(self) -> tuple[np.ndarray, np.ndarray]:
        """Middles of places, (1, 2, places), and strides, (1, places)."""
        middles, strides = [], []
        for stride in (8, 16, 32):
            side = np.arange(self.pixels // stride, dtype=np.float32) + 0.5
            across, down = np.meshgrid(side, side)
            middles.append(np.stack([across.reshape(-1), down.reshape(-1)]))
            strides.append(np.full(side.size**2, stride, np.float32))
        return np.concatenate(middles, axis=1)[None], np.concatenate(strides)[None]

    def detect(self, levels: list[str], *, light: bool = False) -> str:
        """Boxes and scores, (1, 4 + classes, places)."""
        rows = []
        for x, c in zip(levels, (64, 128, 256), strict=True):
            box, scores = self.branch(x, c, 64, 4 * BINS), self.branch(x, c, CLASSES, CLASSES, light=light)
            rows.append(self.flat(self.cat(box, scores), 4 * BINS + CLASSES))
        box, scores = self.parts(self.cat(*rows, axis=2), 4 * BINS, CLASSES)
        middles, strides = self.anchors
        places = strides.size
        x = self.node("Transpose", self.node("Reshape", box, self.ints(1, 4, BINS, places)), perm=[0, 2, 1, 3])
        bins = self.constant(np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1))
        x = self.node("Conv", self.node("Softmax", x, axis=1), bins, kernel_shape=[1, 1])
        near, far = self.parts(self.node("Reshape", x, self.ints(1, 4, places)), 2, 2)
        points = self.constant(middles)
        near, far = self.node("Sub", points, near), self.node("Add", points, far)
        middle = self.node("Div", self.node("Add", near, far), self.constant(np.float32(2)))
        boxes = self.node("Mul", self.cat(middle, self.node("Sub", far, near)), self.constant(strides))
        return self.cat(boxes, self.node("Sigmoid", scores))

    def more(self, levels: list[str], inner: int, out: int) -> str:
        """A further branch at every level, (1, out, places)."""
        rows = [self.flat(self.branch(x, c, max(inner, out), out), out) for x, c in zip(levels, (64, 128, 256), strict=True)]
        return self.cat(*rows, axis=2)

    def keypoints(self, x: str) -> str:
        middles, strides = self.anchors
        x = self.node("Reshape", x, self.ints(1, KEYPOINTS, 3, -1))
        place = self.node("Slice", x, *map(self.ints, (0, 2, 2, 1)))
        place = self.node("Mul", place, self.constant(np.float32(2)))
        place = self.node("Add", place, self.constant(middles[:, None] - 0.5))
        seen = self.node("Sigmoid", self.node("Slice", x, *map(self.ints, (2, 3, 2, 1))))
        x = self.cat(self.node("Mul", place, self.constant(strides)), seen, axis=2)
        return self.node("Reshape", x, self.ints(1, 3 * KEYPOINTS, -1))

    def prototypes(self, x: str) -> str:
        x = self.cv(x, 64, 64, 3)
        x = self.node("ConvTranspose", x, self.weight(64, 64, 2, 2), self.weight(64, scale=0.1), strides=[2, 2])
        return self.cv(self.cv(x, 64, 64, 3), 64, MASKS)

    def best(self, rows: str, most: int = 20) -> str:
        """The best of all places, (1, most, 6), without suppression (v10)."""
        boxes, scores = self.parts(self.node("Transpose", rows, perm=[0, 2, 1]), 4, CLASSES, axis=2)
        peaks = self.node("ReduceMax", scores, axes=[2], keepdims=0)
        top = self.node("TopK", peaks, self.ints(most), outputs=2, axis=1)
        which = self.node("Unsqueeze", f"{top}_1", self.ints(2))
        boxes = self.node("GatherElements", boxes, self.node("Tile", which, self.ints(1, 1, 4)), axis=1)
        scores = self.node("GatherElements", scores, self.node("Tile", which, self.ints(1, 1, CLASSES)), axis=1)
        score = self.node("TopK", self.node("Flatten", scores), self.ints(most), outputs=2, axis=1)
        place = f"{score}_1"
        row = self.node("Unsqueeze", self.node("Div", place, self.ints(CLASSES)), self.ints(2))
        kind = self.node("Cast", self.node("Mod", place, self.ints(CLASSES)), to=TensorProto.FLOAT)
        boxes = self.node("GatherElements", boxes, self.node("Tile", row, self.ints(1, 1, 4)), axis=1)
        last = [self.node("Unsqueeze", one, self.ints(2)) for one in (score, kind)]
        return self.cat(boxes, *last, axis=2)


def _v8(net: OneStage) -> list[str]:
    x = net.cv(net.cv(net.input("images", 1, 3, net.pixels, net.pixels), 3, 16, 3, 2), 16, 32, 3, 2)
    x = net.cv(net.c2f(x, 32, 32, add=True), 32, 64, 3, 2)
    small = net.c2f(x, 64, 64, 2, add=True)
    middle = net.c2f(net.cv(small, 64, 128, 3, 2), 128, 128, 2, add=True)
    large = net.sppf(net.c2f(net.cv(middle, 128, 256, 3, 2), 256, 256, add=True), 256)
    return net.neck([small, middle, large], 64, net.c2f, lambda x, c: net.cv(x, c, c, 3, 2))


def v8(net: OneStage) -> ModelProto:
    return net.model(net.detect(_v8(net)))


def v8_pose(net: OneStage) -> ModelProto:
    levels = _v8(net)
    places = net.keypoints(net.more(levels, 16, 3 * KEYPOINTS))
    return net.model(net.cat(net.detect(levels), places))


def v8_seg(net: OneStage) -> ModelProto:
    levels = _v8(net)
    return net.model(net.cat(net.detect(levels), net.more(levels, 16, MASKS)), net.prototypes(levels[0]))


def v10(net: OneStage) -> ModelProto:
    x = net.cv(net.cv(net.input("images", 1, 3, net.pixels, net.pixels), 3, 16, 3, 2), 16, 32, 3, 2)
    x = net.cv(net.c2f(x, 32, 32, add=True), 32, 64, 3, 2)
    small = net.c2f(x, 64, 64, 2, add=True)
    middle = net.c2f(net.scdown(small, 64, 128), 128, 128, 2, add=True)
    large = net.c2f(net.scdown(middle, 128, 256), 256, 256, block=net.cib)
    large = net.c2psa(net.sppf(large, 256), 256, net.pixels // 32)
    levels = net.neck(
        [small, middle, large], 64, net.c2f, lambda x, c: net.cv(x, c, c, 3, 2) if c == 64 else net.scdown(x, c, c)
    )
    return net.model(net.best(net.detect(levels, light=True)))


def _v11(net: OneStage) -> list[str]:
    x = net.cv(net.cv(net.input("images", 1, 3, net.pixels, net.pixels), 3, 16, 3, 2), 16, 32, 3, 2)
    x = net.cv(net.c3k2(x, 32, 64, 0.25, deep=False), 64, 64, 3, 2)
    small = net.c3k2(x, 64, 128, 0.25, deep=False)
    middle = net.c3k2(net.cv(small, 128, 128, 3, 2), 128, 128, deep=True)
    large = net.sppf(net.c3k2(net.cv(middle, 128, 256, 3, 2), 256, 256, deep=True), 256)
    large = net.c2psa(large, 256, net.pixels // 32)
    return net.neck(
        [small, middle, large], 128, lambda x, a, b: net.c3k2(x, a, b, deep=b == 256), lambda x, c: net.cv(x, c, c, 3, 2)
    )


def v11(net: OneStage) -> ModelProto:
    return net.model(net.detect(_v11(net), light=True))


def v11_pose(net: OneStage) -> ModelProto:
    levels = _v11(net)
    places = net.keypoints(net.more(levels, 16, 3 * KEYPOINTS))
    return net.model(net.cat(net.detect(levels, light=True), places))


def v11_seg(net: OneStage) -> ModelProto:
    levels = _v11(net)
    boxes = net.detect(levels, light=True)
    return net.model(net.cat(boxes, net.more(levels, 16, MASKS)), net.prototypes(levels[0]))


DETECTORS: dict[str, Callable[[OneStage], ModelProto]] = {
    make.__name__: make for make in (v8, v8_pose, v8_seg, v10, v11, v11_pose, v11_seg)
}
