"""The 2:4 pattern is found in the weights as they are built: floats, halves, behind Q/DQ pairs, along the axis of the sum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.graph.pattern import two_of_four
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, QuantizeWeights, Recipe
from nodes import Bench, Net
from steps import lowered


def thinned(array: np.ndarray, axis: int) -> np.ndarray:
    """The two smallest of every four along an axis become zero, as NVIDIA's pruning does."""
    rows = np.moveaxis(array, axis, -1)
    fours = rows.reshape(*rows.shape[:-1], -1, 4)
    smallest = np.argsort(np.abs(fours), axis=-1)[..., :2]
    np.put_along_axis(fours, smallest, 0, axis=-1)
    return np.moveaxis(fours.reshape(rows.shape), -1, axis)


def network(folder: Path, conv: int | None, product: int | None) -> Path:
    """A convolution and a product; their weights are thinned along the axis given, and dense without one."""
    net = Net(17)
    kernel, matrix = net.draw.standard_normal((16, 8, 3, 3)), net.draw.standard_normal((16, 8))
    weights = [array if axis is None else thinned(array.copy(), axis) for array, axis in ((kernel, conv), (matrix, product))]
    x = net.node("Conv", net.input("x", 1, 8, 6, 6), net.constant(weights[0]), kernel_shape=[3, 3])
    y = net.node("MatMul", net.node("Flatten", net.node("GlobalAveragePool", x)), net.constant(weights[1]))
    return Bench(folder).save(net.model(y))


@pytest.mark.parametrize(
    ("conv", "product", "count"), [(1, 0, 2), (1, None, 1), (None, 0, 1), (None, None, 0), (0, None, 0), (None, 1, 0)]
)
def test_only_the_axis_that_is_summed_over_counts(conv, product, count, tmp_path):
    assert two_of_four(network(tmp_path, conv, product)) == count


@pytest.mark.parametrize(
    "step", [QuantizeInt8(calibrator="minmax"), PrecisionFp16(), QuantizeWeights(bits=8)], ids=["int8", "fp16", "weights"]
)
def test_it_is_found_in_what_is_lowered(step, tmp_path):
    file = lowered(network(tmp_path, 1, 0), Recipe(step=(step,)), tmp_path)
    assert two_of_four(file) == 2


def test_half_of_the_weights_at_zero_is_no_pattern_by_itself(tmp_path):
    net = Net(17)
    weight = net.draw.standard_normal((16, 8))
    weight[:8] = 0
    weight[8, 0] = 0
    y = net.node("MatMul", net.input("x", 1, 16), net.constant(weight))
    assert two_of_four(Bench(tmp_path).save(net.model(y))) == 0
