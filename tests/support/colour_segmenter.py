"""A segmenter with nothing learnt: it tells red and blue blocks from nothing by their colour; and images with masks for it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
from nodes import Net
from PIL import Image

SIZE = 32
COLOURS = np.array([(40, 40, 40), (230, 30, 30), (30, 30, 230)], np.uint8)
"""Of nothing, red and blue things."""


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def segmented(folder: Path, count: int = 20, *, shuffled: bool = False) -> Path:
    """Images of 48 x 40 with red and blue blocks, and masks beside them; a border of 255 around some blocks."""
    draw = np.random.default_rng(2)
    masks = []
    for n in range(count):
        mask = np.zeros((40, 48), np.uint8)
        for each in (1, 2):
            top, left = draw.integers(0, 24), draw.integers(0, 30)
            mask[top : top + 12, left : left + 14] = each
        masks.append(mask)
        noise = draw.integers(-25, 25, (40, 48, 3))
        pixels = np.clip(COLOURS[mask].astype(int) + noise, 0, 255).astype(np.uint8)
        for where in ("images", "masks"):
            (folder / where).mkdir(parents=True, exist_ok=True)
        (folder / "images" / f"{n:02}.png").write_bytes(png(pixels))
    for n in range(count):
        mask = masks[(n + 1) % count if shuffled else n].copy()
        mask[:2] = 255
        (folder / "masks" / f"{n:02}.png").write_bytes(png(mask))
    return folder


def segmenter(path: Path, *, noise: float = 0.0, chosen: bool = False, half: bool = False) -> Path:
    """Scores of the three classes by colour; `chosen`: the class alone; `half`: of half the size."""
    net = Net()
    image = net.input("x", 1, 3, SIZE, SIZE)
    weight = 2 * (COLOURS / 255.0).reshape(3, 3, 1, 1)
    weight = weight + noise * np.random.default_rng(0).standard_normal(weight.shape)
    bias = -((COLOURS / 255.0) ** 2).sum(axis=1)  # the nearest colour wins
    found = net.node("Conv", image, net.constant(weight), net.constant(bias), kernel_shape=[1, 1])
    if half:
        found = net.node("AveragePool", found, kernel_shape=[2, 2], strides=[2, 2])
    model = net.model(net.node("ArgMax", found, axis=1, keepdims=0) if chosen else found)
    if chosen:
        model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    onnx.save(model, path)
    return path
