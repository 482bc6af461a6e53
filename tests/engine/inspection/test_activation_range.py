"""Between which values activations lie, read from scales and zero-points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.inspection.activations import activation_range
from edgetui.engine.inspection.inspect import inspect
from onnx import TensorProto, helper, numpy_helper


def quantized(*scales: tuple[float, int, str], weights_too: bool = False) -> onnx.ModelProto:
    """A chain of QuantizeLinear and DequantizeLinear; each with its scale, zero-point and integers."""
    nodes, constants, at = [], [], "image"
    for n, (scale, zero, kind) in enumerate(scales):
        constants += [
            numpy_helper.from_array(np.array(scale, np.float32), f"s{n}"),
            numpy_helper.from_array(np.array(zero, kind), f"z{n}"),
        ]
        nodes += [
            helper.make_node("QuantizeLinear", [at, f"s{n}", f"z{n}"], [f"q{n}"]),
            helper.make_node("DequantizeLinear", [f"q{n}", f"s{n}", f"z{n}"], [f"d{n}"]),
        ]
        at = f"d{n}"
    if weights_too:
        constants += [numpy_helper.from_array(np.full((2,), 900, np.float32), "weight")]
        constants += [numpy_helper.from_array(np.array(9.0, np.float32), "ws")]
        nodes += [helper.make_node("QuantizeLinear", ["weight", "ws"], ["wq"])]
    nodes.append(helper.make_node("Identity", [at], ["out"]))
    shape = [1, 4]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("image", "out")]
    return helper.make_model(
        helper.make_graph(nodes, "q", ends[:1], ends[1:], constants), opset_imports=[helper.make_opsetid("", 17)]
    )


def test_the_widest_ends_of_all_quantized_activations():
    low, high = activation_range(quantized((0.1, 0, "int8"), (0.04, 0, "uint8"))) or (0, 0)
    assert (low, high) == pytest.approx((-12.8, 12.7))
    low, high = activation_range(quantized((0.04, 10, "uint8"))) or (0, 0)
    assert (low, high) == pytest.approx((-0.4, 9.8))


def test_weights_are_no_activations_and_without_any_nothing_is_known(tmp_path: Path):
    low, high = activation_range(quantized((0.1, 0, "int8"), weights_too=True)) or (0, 0)
    assert (low, high) == pytest.approx((-12.8, 12.7))
    assert activation_range(quantized()) is None
    path = tmp_path / "q.onnx"
    onnx.save(quantized((0.1, 0, "int8")), path)
    facts = inspect(path, {})
    assert (facts.activation_low, facts.activation_high) == pytest.approx((-12.8, 12.7))
    onnx.save(quantized(), path)
    assert inspect(path, {}).activation_low is None
