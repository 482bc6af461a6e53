"""Weights that global magnitude takes are those that torch's own pruning masks."""

from __future__ import annotations

import warnings
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


def onnx_rows(matrices: list[np.ndarray], gates: int, order: list[int]) -> np.ndarray:
    """Matrices of torch's cell, one a direction, as ONNX stacks them: its gates in another order."""
    return np.stack([np.concatenate([np.split(each, gates)[gate] for gate in order]) for each in matrices])


@pytest.mark.parametrize(("kind", "order", "amount"), [("LSTM", [0, 3, 1, 2], 0.25), ("GRU", [1, 0, 2], 0.75)])
def test_of_an_exported_recurrent_module(tmp_path: Path, kind: str, order: list[int], amount: float) -> None:
    """Both amounts are whole numbers of weights: of others torch rounds to the nearest, and we down."""
    from torch.nn.utils import prune as pruning

    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(12, 16, num_layers=2, bidirectional=True).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(module, (torch.zeros(5, 1, 12),), str(tmp_path / "m.onnx"), dynamo=True, verbose=False)
    assert {node.op_type for node in load(tmp_path / "m.onnx").graph.node} >= {kind}
    names = [name for name, _ in module.named_parameters() if name.startswith("weight_")]
    pruning.global_unstructured([(module, name) for name in names], pruning.L1Unstructured, amount=amount)
    prune(PruneMagnitude(amount=amount, scope="global"), tmp_path / "m.onnx", tmp_path / "o.onnx", None, NullReporter())
    found = iter(weights(load(tmp_path / "o.onnx")))
    for layer in range(2):
        for what in ("ih", "hh"):
            masks = [getattr(module, f"weight_{what}_l{layer}{way}_mask").numpy() for way in ("", "_reverse")]
            wanted = onnx_rows(masks, len(order), order)
            np.testing.assert_array_equal(next(found).array() != 0, wanted != 0)
    assert next(found, None) is None
