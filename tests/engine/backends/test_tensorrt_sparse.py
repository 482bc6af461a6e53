"""Sparse kernels: by the weights unless the settings say, known to the builder, the log, the manifest and the summary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.backends.tensorrt import manifest as trt_manifest
from edgetui.engine.backends.tensorrt.adapter import TensorRt
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net


@pytest.mark.parametrize(
    ("asked", "thin", "allowed"), [(None, True, True), (None, False, False), (False, True, False), (True, False, True)]
)
@pytest.mark.usefixtures("rtx")
def test_weights_decide_unless_the_settings_do(asked: bool | None, thin: bool, allowed: bool, tmp_path: Path) -> None:
    net = Net(17)
    weight = np.abs(net.draw.standard_normal((16, 8))) + 0.1
    weight[0 :: 4 if thin else 16] = 0
    weight[1 :: 4 if thin else 16] = 0
    file = Bench(tmp_path).save(net.model(net.node("MatMul", net.input("x", 4, 16), net.constant(weight))))
    say, plan = NullReporter(), tmp_path / "p.plan"
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(target="sm_86", sparse=asked))
    summary = TensorRt().build(file, plan, settings, say)
    manifest = trt_manifest.read(plan)
    assert manifest is not None
    assert manifest.settings.sparse is allowed
    assert ("2:4 sparse kernels allowed" in summary) is allowed
    assert ("2:4 sparse kernels" in trt_manifest.facts_in_words(manifest, plan)) is allowed
    assert any("two zeros in every four" in note for note in say.notes) is (allowed and asked is None)
