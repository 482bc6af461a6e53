"""Weights that global magnitude takes are those that torch's own pruning masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import Weight, weights
from edgetui.engine.schema.steps import PruneMagnitude
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net

torch = pytest.importorskip("torch", reason="needs torch")


def masked(found: list[Weight], amount: float) -> list[np.ndarray]:
    """What torch.nn.utils.prune leaves of the weights, by L1 over all of them."""
    from torch.nn.utils import prune as pruning

    layers = []
    for weight in found:
        layer = torch.nn.Module()
        layer.weight = torch.nn.Parameter(torch.tensor(weight.array()))
        layers.append(layer)
    pruning.global_unstructured([(layer, "weight") for layer in layers], pruning.L1Unstructured, amount=amount)
    return [layer.weight_mask.numpy().astype(bool) for layer in layers]


def same(source: Path, out: Path, amount: float) -> None:
    prune(PruneMagnitude(amount=amount, scope="global"), source, out, None, NullReporter())
    before, after = weights(load(source)), weights(load(out))
    masks = masked(before, amount)
    assert [(one.array() != 0).tolist() for one in after] == [mask.tolist() for mask in masks]
    assert all((one.array()[mask] == other.array()[mask]).all() for one, other, mask in zip(after, before, masks, strict=True))


@pytest.mark.parametrize("amount", [0.25, 0.5, 0.75])
def test_on_layers_of_unlike_scales(net: type[Net], bench: Bench, amount: float) -> None:
    made = net()
    x = made.node("Relu", made.node("Conv", made.input("image", 1, 4, 8, 8), made.weight(16, 4, 3, 3, scale=0.5)))
    x = made.node("Relu", made.node("Conv", x, made.weight(32, 16, 3, 3)))
    x = made.node("Flatten", made.node("GlobalAveragePool", x))
    x = made.node("Gemm", x, made.weight(256, 32), made.weight(256), transB=1)
    source = bench.save(made.model(made.node("MatMul", x, made.weight(256, 512))))  # past what is partitioned whole
    same(source, bench.folder / "o.onnx", amount)


def test_half_of_a_real_model(shared: Path, tmp_path: Path) -> None:
    same(shared / "models" / "resnet20_cifar10.onnx", tmp_path / "o.onnx", 0.5)
