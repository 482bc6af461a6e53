"""Make the demo's model and data: a small network trained on the UCI digits, with numpy alone.

    python tests/tools/train_demo.py [FOLDER]

Writes digits.onnx, digits.npz (labelled, for evaluation) and digits-calibration.npz into FOLDER (profiles/demo). Needs
scikit-learn, which carries the digits, beside edgetui's own packages; takes about two minutes on one core.
The digits are E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository, CC BY 4.0.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

CHANNELS = (32, 64, 64)
TRAIN, CALIBRATE = 1000, 500
EPOCHS, BATCH, RATE = 14, 50, 2e-3
PIXELS, UP = 8, 4


def upsampling() -> np.ndarray:
    """[32, 8]: linear interpolation with half-pixel centres, as ONNX's Resize has it."""
    place = np.clip((np.arange(PIXELS * UP) + 0.5) / UP - 0.5, 0, PIXELS - 1)
    low = np.minimum(place.astype(int), PIXELS - 2)
    matrix = np.zeros((PIXELS * UP, PIXELS), np.float32)
    matrix[np.arange(len(place)), low] = 1 - (place - low)
    matrix[np.arange(len(place)), low + 1] += place - low
    return matrix


class Conv:
    """3x3, padding 1, stride 1, then ReLU and a 2x2 maximum."""

    def __init__(self, rng: np.random.Generator, ins: int, outs: int) -> None:
        self.params = [
            (rng.standard_normal((outs, ins, 3, 3)) * np.sqrt(2 / (ins * 9))).astype(np.float32),
            np.zeros(outs, np.float32),
        ]

    def forward(self, x: np.ndarray) -> np.ndarray:
        n, c, h, w = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        self.columns = sliding_window_view(padded, (3, 3), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * 9)
        weight, bias = self.params
        out = np.maximum(self.columns @ weight.reshape(len(bias), -1).T + bias, 0)
        self.shape = x.shape
        blocks = out.reshape(n, h // 2, 2, w // 2, 2, len(bias))
        pooled = blocks.max(axis=(2, 4))
        self.mask = (blocks == pooled[:, :, None, :, None]) & (blocks > 0)
        return pooled.transpose(0, 3, 1, 2)

    def backward(self, grad: np.ndarray) -> np.ndarray:
        n, c, h, w = self.shape
        weight, bias = self.params
        spread = (self.mask * grad.transpose(0, 2, 3, 1)[:, :, None, :, None]).reshape(n * h * w, len(bias))
        self.grads = [(spread.T @ self.columns).reshape(weight.shape), spread.sum(axis=0)]
        columns = (spread @ weight.reshape(len(bias), -1)).reshape(n, h, w, c, 3, 3)
        out = np.zeros((n, c, h + 2, w + 2), np.float32)
        for i in range(3):
            for j in range(3):
                out[:, :, i : i + h, j : j + w] += columns[..., i, j].transpose(0, 3, 1, 2)
        return out[:, :, 1:-1, 1:-1]


class Dense:
    """Flatten, then a linear layer."""

    def __init__(self, rng: np.random.Generator, ins: int, outs: int) -> None:
        self.params = [
            (rng.standard_normal((outs, ins)) * np.sqrt(1 / ins)).astype(np.float32),
            np.zeros(outs, np.float32),
        ]

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.shape, self.flat = x.shape, x.reshape(len(x), -1)
        return self.flat @ self.params[0].T + self.params[1]

    def backward(self, grad: np.ndarray) -> np.ndarray:
        self.grads = [grad.T @ self.flat, grad.sum(axis=0)]
        return (grad @ self.params[0]).reshape(self.shape)


class Adam:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def __init__(self, layers: list[Conv | Dense]) -> None:
        self.layers, self.steps = layers, 0
        self.moments = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer.params] for layer in layers]

    def step(self, rate: float) -> None:
        self.steps += 1
        for layer, moments in zip(self.layers, self.moments, strict=True):
            for value, grad, (first, second) in zip(layer.params, layer.grads, moments, strict=True):
                first += 0.1 * (grad - first)
                second += 0.001 * (grad**2 - second)
                update = first / (1 - 0.9**self.steps) / (np.sqrt(second / (1 - 0.999**self.steps)) + 1e-8)
                value -= rate * (update + 0.05 * value * (value.ndim > 1))


def forward(layers: list[Conv | Dense], x: np.ndarray) -> np.ndarray:
    for layer in layers:
        x = layer.forward(x)
    return x


def train(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> list[Conv | Dense]:
    """`images` [n, 1, 32, 32] in 0..1; every epoch sees them shifted by up to three pixels."""
    a, b, c = CHANNELS
    layers: list[Conv | Dense] = [Conv(rng, 1, a), Conv(rng, a, b), Conv(rng, b, c), Dense(rng, c * 16, 10)]
    adam, steps = Adam(layers), EPOCHS * (len(images) // BATCH)
    for epoch in range(EPOCHS):
        losses = []
        for part in np.array_split(rng.permutation(len(images)), len(images) // BATCH):
            x = np.roll(images[part], tuple(rng.integers(-3, 4, 2)), axis=(2, 3))
            logits = forward(layers, x)
            share = np.exp(logits - logits.max(axis=1, keepdims=True))
            share /= share.sum(axis=1, keepdims=True)
            rows = np.arange(len(part))
            losses.append(-np.log(share[rows, labels[part]]).mean())
            share[rows, labels[part]] -= 1
            grad = (share / len(part)).astype(np.float32)
            for layer in reversed(layers):
                grad = layer.backward(grad)
            adam.step(RATE * 0.5 * (1 + np.cos(np.pi * adam.steps / steps)))
        print(f"epoch {epoch + 1:2} of {EPOCHS}  loss {np.mean(losses):.4f}", flush=True)
    return layers


def onnx_model(layers: list[Conv | Dense]) -> onnx.ModelProto:
    """Resize, three times Conv Relu MaxPool, Flatten, Gemm; opset 17, dynamic batch."""
    scales = numpy_helper.from_array(np.array([1, 1, UP, UP], np.float32), "scales")
    weights, at = [scales], "large"
    nodes = [
        helper.make_node(
            "Resize",
            ["image", "", "scales"],
            [at],
            name="/enlarge",
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
    ]
    for n, layer in enumerate(layers[:-1], 1):
        name = f"conv{n}"
        weights += [
            numpy_helper.from_array(value, f"{name}.{part}")
            for value, part in zip(layer.params, ("weight", "bias"), strict=True)
        ]
        nodes += [
            helper.make_node(
                "Conv",
                [at, f"{name}.weight", f"{name}.bias"],
                [name],
                name=f"/{name}/Conv",
                kernel_shape=[3, 3],
                pads=[1, 1, 1, 1],
            ),
            helper.make_node("Relu", [name], [f"{name}.relu"], name=f"/{name}/Relu"),
            helper.make_node(
                "MaxPool", [f"{name}.relu"], [f"{name}.pool"], name=f"/{name}/MaxPool", kernel_shape=[2, 2], strides=[2, 2]
            ),
        ]
        at = f"{name}.pool"
    weights += [
        numpy_helper.from_array(value, f"head.{part}")
        for value, part in zip(layers[-1].params, ("weight", "bias"), strict=True)
    ]
    nodes += [
        helper.make_node("Flatten", [at], ["flat"], name="/head/Flatten"),
        helper.make_node("Gemm", ["flat", "head.weight", "head.bias"], ["logits"], name="/head/Gemm", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, PIXELS, PIXELS])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        weights,
    )
    model = helper.make_model(graph, producer_name="edgetui demo", opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def main(folder: Path) -> None:
    rng = np.random.default_rng(7)
    digits = load_digits()
    order = rng.permutation(len(digits.target))
    small = (digits.images[order, None] / 16).astype(np.float32)
    labels = digits.target[order].astype(np.int64)
    up = upsampling()
    large = up @ small @ up.T
    layers = train(large[:TRAIN], labels[:TRAIN], rng)
    right = forward(layers, large[TRAIN:]).argmax(axis=1) == labels[TRAIN:]
    print(f"top-1 {right.mean():.4f} on {len(right)}")
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx_model(layers), folder / "digits.onnx")
    np.savez_compressed(folder / "digits.npz", image=small[TRAIN:], labels=labels[TRAIN:])
    np.savez_compressed(folder / "digits-calibration.npz", image=small[:CALIBRATE])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "profiles" / "demo")
