"""Networks of many kinds and opsets: TensorRT-RTX builds what was lowered for TensorRT, and it computes what FP32 does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.backends.tensorrt import build
from edgetui.engine.backends.tensorrt.build_messages import BuildRequest
from edgetui.engine.graph.load import load
from edgetui.engine.measure.inputs import random_inputs
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.schema.steps import PrecisionFp16, PruneMagnitude, QuantizeInt8, QuantizeWeights, Recipe
from refusals import lint_lines
from steps import lowered
from zoo import BATCH, NETWORKS

INT8, HALF = QuantizeInt8(calibrator="minmax"), PrecisionFp16()
RECIPES = {
    "int8": (INT8,),
    "fp16": (HALF,),
    "int8 and fp16": (INT8, HALF),
    "pruned int8": (PruneMagnitude(amount=0.05), INT8),
    "4-bit weights": (QuantizeWeights(bits=4),),
}
# Each network at each opset once, and with each recipe once.
OPSETS = {"int8": 11, "fp16": 20, "int8 and fp16": 17, "pruned int8": 13, "4-bit weights": 21}


def sized(model: Path) -> dict[str, tuple[int, ...]]:
    """The inputs' shapes with a batch of BATCH."""
    return {
        value.name: tuple(axis.dim_value or BATCH for axis in value.type.tensor_type.shape.dim)
        for value in onnx.load(model).graph.input
    }


# Real builds: `make test` has every recipe once, on as many networks; `make test-long` has the rest.
FIRST = set(zip(NETWORKS, RECIPES, strict=False))
PAIRS = [
    pytest.param(network, recipe, marks=() if (network, recipe) in FIRST else pytest.mark.long)
    for network in NETWORKS
    for recipe in RECIPES
]


@pytest.mark.parametrize(("network", "recipe"), PAIRS)
def test_what_is_lowered_builds_and_computes_what_fp32_does(network, recipe, rtx, tmp_path):
    model = NETWORKS[network](tmp_path / "model.onnx", OPSETS[recipe])
    shapes = sized(model)
    file = lowered(model, Recipe(step=RECIPES[recipe]), tmp_path, shapes=shapes)
    assert lint_lines(load(file), "tensorrt") == []
    order = BuildRequest(onnx=str(file), out=str(tmp_path / "p"), module=rtx.module, settings=TensorRtSettings(target="sm_86"))
    assert build.build(order, rtx, lambda _: None).precision == "strongly typed"
    before, after = (OnnxRuntime().load(path, BackendSettings(graph="basic")) for path in (tmp_path / "0.onnx", file))
    feeds = random_inputs(before.inputs, shapes, 9)
    for name, expected in before.run(feeds).items():
        a, b = expected.ravel().astype(np.float64), after.run(feeds)[name].ravel().astype(np.float64)
        assert np.isfinite(b).all()
        assert a @ b > 0.97 * np.linalg.norm(a) * np.linalg.norm(b)
