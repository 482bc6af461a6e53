"""GroupNormalization of opset 18 survives a higher opset: the same values, for every step that raises it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.graph.opset import raise_opset
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, QuantizeWeights, Recipe
from nodes import Bench, Net
from steps import lowered


def network(folder: Path, epsilon: float = 1e-5) -> Path:
    net = Net(18)
    x = net.conv(net.input("x", 2, 3, 8, 8), 3, 12)
    x = net.node("GroupNormalization", x, net.weight(4), net.weight(4), name="norm", num_groups=4, epsilon=epsilon)
    return Bench(folder).save(net.model(net.conv(x, 12, 4)))


def made(file: Path) -> np.ndarray:
    feeds = {"x": np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)}
    (value,) = OnnxRuntime().load(file, BackendSettings(graph="basic")).run(feeds).values()
    return value


@pytest.mark.parametrize("version", [19, 20, 21, 22])
def test_a_raised_opset_computes_the_same(version, tmp_path):
    source = network(tmp_path, epsilon=0.5)
    raised = raise_opset(onnx.load(lowered(source, Recipe(), tmp_path)), version, "a test")
    file = Bench(tmp_path).save(raised, "raised.onnx")
    np.testing.assert_allclose(made(file), made(source), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "steps",
    [(QuantizeInt8(calibrator="minmax"), PrecisionFp16()), (QuantizeWeights(bits=4, grouping="channel"),)],
    ids=["int8 and fp16", "4-bit weights"],
)
def test_steps_that_need_a_later_opset_take_it(steps, tmp_path):
    source = network(tmp_path)
    a, b = made(source).ravel(), made(lowered(source, Recipe(step=steps), tmp_path)).ravel().astype(np.float32)
    assert a @ b > 0.97 * np.linalg.norm(a) * np.linalg.norm(b)
