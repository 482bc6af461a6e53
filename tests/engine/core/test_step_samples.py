"""How many samples a step reads of those that are there, and what it says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.data.open import open_samples
from edgetui.engine.result import TensorFacts
from edgetui.engine.say import Silent
from edgetui.engine.spec import Dataset, QuantizeInt8
from edgetui.engine.steps import do_step
from onnx import numpy_helper, parser


@pytest.mark.parametrize(("there", "asked", "used"), [(10, 500, 8), (12, 7, 4), (3, 500, 4)])
def test_calibration_takes_whole_batches(tmp_path: Path, there: int, asked: int, used: int) -> None:
    model = parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> g (float[4,6] x) => (float y) { y = MatMul(x, w) }')
    model.graph.initializer.append(numpy_helper.from_array(np.ones((6, 3), np.float32), "w"))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).random((there, 6), np.float32))
    facts = [TensorFacts(name="x", dtype="float", shape=(4, 6))]
    dataset = Dataset(kind="npz", path=str(tmp_path / "d.npz"))
    samples = open_samples(dataset, facts, {"x": (4, 6)}, "all", 0, Silent())
    text, stamp = do_step(QuantizeInt8(samples=asked), tmp_path / "m.onnx", tmp_path / "o.onnx", samples, 4, Silent())
    assert f"on {used} samples" in text
    assert stamp is not None
    assert stamp.calibrated == min(there, used)
