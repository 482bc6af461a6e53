"""Zeros of pruning are told from those of rounding, whatever the integers are."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.true_zeros import mask_of, true_zeros, write_zeros
from edgetui.engine.compress.weight_only import weights
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph import metadata
from edgetui.engine.schema.steps import QuantizeWeights
from edgetui.engine.system.reporter import NullReporter
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import ModelProto


@given(arrays(np.int8, (3, 5), elements=st.integers(-1, 1)), arrays(np.bool_, (3, 5)))
def test_what_is_written_is_read(integers, drawn):
    before, model = drawn & (integers == 0), ModelProto()
    write_zeros(model, {"w": mask_of(integers, before), "other": ""})
    write_zeros(model, {"other": "all"})
    assert (true_zeros(model, "w", integers == 0) == before).all()


def test_where_nobody_said_it_all_zeros_may_be_of_pruning():
    zeros, model = np.array([True, False, True]), ModelProto()
    assert (true_zeros(model, "w", zeros) == zeros).all()
    write_zeros(model, {"other": ""})
    assert (true_zeros(model, "w", zeros) == zeros).all()
    write_zeros(model, {"w": "nonsense"})
    with pytest.raises(ModelRefused, match=r"edgetui\.zeros` is not of the integers w"):
        true_zeros(model, "w", zeros)


def test_what_is_deployed_does_not_have_them(bench, net, tmp_path):
    it = net()
    source = bench.save(it.model(it.node("Flatten", it.conv(it.input("image", 1, 1, 8, 8), 1, 4))))
    weights(QuantizeWeights(bits=8), source, tmp_path / "eight.onnx", NullReporter())
    assert metadata.get(onnx.load(tmp_path / "eight.onnx"), "zeros") is not None
    lower(tmp_path / "eight.onnx", tmp_path / "out.onnx", "onnxruntime-x86", NullReporter())
    assert metadata.get(onnx.load(tmp_path / "out.onnx"), "zeros") is None
