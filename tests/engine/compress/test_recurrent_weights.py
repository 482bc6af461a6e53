"""W and R of LSTM, GRU and RNN are weights: what prunes and what makes integers reaches them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.compress.dynamic import dynamic
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.compress.n_of_m import prune as prune_nm
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.shared_values import share
from edgetui.engine.compress.train.trainable import trainable
from edgetui.engine.compress.units import units_of
from edgetui.engine.compress.weight_only import weights as integers
from edgetui.engine.graph.dequantized import dequantized
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.schema.step import Kernels
from edgetui.engine.schema.steps import (
    PruneMagnitude,
    PruneNm,
    QuantizeDynamic,
    QuantizeInt8,
    QuantizeShared,
    QuantizeWeights,
)
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net
from onnx import ModelProto, TensorProto

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS, INPUTS, HIDDEN = 6, 12, 16


class Told(NullReporter):
    def warn(self, text: str) -> None:
        self.warnings.append(text)


def recurrent(operator: str, *, both: bool = True) -> ModelProto:
    """(steps, 1, inputs) through a recurrent node, the last of its states through a Gemm."""
    it, directions = Net(), 2 if both else 1
    rows = GATES[operator] * HIDDEN
    w, r = it.weight(directions, rows, INPUTS), it.weight(directions, rows, HIDDEN)
    way = "bidirectional" if both else "forward"
    x = it.input("x", STEPS, 1, INPUTS)
    it.node(operator, x, w, r, it.weight(directions, 2 * rows), outputs=2, hidden_size=HIDDEN, direction=way, name="cell")
    states = it.node("Reshape", "t0_1", it.constant(np.array([1, directions * HIDDEN])))
    return it.model(it.node("Gemm", states, it.weight(4, directions * HIDDEN), it.weight(4), transB=1))


def drawn(count: int) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(5)
    return [{"x": draw.standard_normal((STEPS, 1, INPUTS)).astype(np.float32)} for _ in range(count)]


@pytest.fixture(params=GATES)
def source(request: pytest.FixtureRequest, bench: Bench) -> Path:
    return bench.save(recurrent(request.param))


def floats(path: Path) -> list[str]:
    """Operators whose weights are floats."""
    return sorted(operator for weight in weights(load(path)) for operator in weight.operators)


def test_both_matrices_are_weights_with_their_axes(source: Path) -> None:
    w, r, gemm = weights(load(source))
    rows = w.shape[1]
    assert (w.shape, r.shape, gemm.operators) == ((2, rows, INPUTS), (2, rows, HIDDEN), ["Gemm"])
    assert {(weight.output_axis, weight.input_axis) for weight in (w, r)} == {(1, 2)}
    facts = inspect(source, {})
    assert facts.prunable_recurrent == w.size + r.size == facts.prunable - gemm.size
    assert facts.prunable_in_floats == 0
    assert [len(unit.weights) for unit in units_of(load(source))] == [2, 1]


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_the_smallest_of_them_go(bench: Bench, source: Path, scope: str) -> None:
    out = bench.folder / "o.onnx"
    prune(PruneMagnitude(scope=scope, amount=0.5), source, out, None, NullReporter())  # type: ignore[arg-type]
    before, after = ([weight.array() for weight in weights(load(path))] for path in (source, out))
    if scope == "layer":
        limits = [np.sort(np.abs(array).ravel())[array.size // 2] for array in before]
    else:
        every = np.sort(np.abs(np.concatenate([array.ravel() for array in before])))
        limits = [every[every.size // 2]] * len(before)
    for array, left, limit in zip(before, after, limits, strict=True):
        np.testing.assert_array_equal(left, np.where(np.abs(array) < limit, 0, array))
    found = trainable(load(out))
    assert {weight.name for weight in weights(load(out))} == found.prunable, "their zeros are those that training keeps"


def test_a_threshold_takes_what_is_below_it(bench: Bench, source: Path) -> None:
    out = bench.folder / "o.onnx"
    prune(PruneMagnitude(threshold=0.05), source, out, None, NullReporter())
    for before, after in zip(weights(load(source)), weights(load(out)), strict=True):
        array = before.array()
        np.testing.assert_array_equal(after.array(), np.where(np.abs(array) < 0.05, 0, array))


def test_two_of_four_is_for_what_skips_it(bench: Bench, source: Path) -> None:
    out = bench.folder / "o.onnx"
    prune_nm(PruneNm(), source, out, None, NullReporter())
    dense = [bool(np.all(weight.array())) for weight in weights(load(out))]
    assert dense == [True, True, False]


@pytest.mark.parametrize(("bits", "grouping"), [(8, "tensor"), (8, "channel"), (4, "channel"), (4, "block")])
def test_integers_are_near_and_the_runtime_gives_what_they_say(bench: Bench, source: Path, bits: int, grouping: str) -> None:
    zeroed, out = bench.folder / "z.onnx", bench.folder / "o.onnx"
    prune(PruneMagnitude(amount=0.4), source, zeroed, None, NullReporter())
    step = QuantizeWeights(bits=bits, grouping=grouping, block=8)  # type: ignore[arg-type]
    integers(step, zeroed, out, NullReporter())
    assert floats(out) == []
    plain = load(zeroed)
    there = {array.shape: array for array in dequantized(load(out))}
    for weight in weights(plain):
        array, whole = weight.array(), there[weight.shape]
        assert not whole[array == 0].any()
        assert np.abs(whole - array).max() <= np.abs(array).max() * (0.006 if bits == 8 else 0.2)
        weight.write(whole)
    for feed in drawn(3):
        # 4 bits: the runtime may round what enters the Gemm behind
        np.testing.assert_allclose(bench.run(out, feed)[0], bench.run(plain, feed)[0], atol=1e-5 if bits == 8 else 0.02)


@pytest.mark.parametrize("bits", [4, 8])
def test_they_share_values(bench: Bench, source: Path, bits: int) -> None:
    out = bench.folder / "o.onnx"
    share(QuantizeShared(bits=bits), source, out, NullReporter())
    assert floats(out) == []
    (x,) = drawn(1)
    assert np.abs(bench.run(out, x)[0] - bench.run(source, x)[0]).max() < (0.3 if bits == 4 else 0.03)


@pytest.mark.parametrize("target", ["onnxruntime-x86", "onnxruntime-arm", "torch"])
@pytest.mark.parametrize("how", ["int8", "dynamic"])
def test_beside_integer_products_they_are_integers_alone_and_it_is_said(
    bench: Bench, source: Path, how: str, target: str
) -> None:
    marked, out, say = bench.folder / "m.onnx", bench.folder / "o.onnx", Told()
    if how == "int8":
        int8(QuantizeInt8(), source, marked, drawn(40), NullReporter())
    else:
        dynamic(QuantizeDynamic(), source, marked, NullReporter())
    line = lower(marked, out, target, say)
    assert floats(out) == []
    if how == "int8" or target != "torch":
        (operator,) = {node.op_type for node in load(source).graph.node} & GATES.keys()
        assert f"2 weights of {operator} alone in 8 bits" in line
        assert any("weights alone are 8-bit integers" in text for text in say.warnings)
    (x,) = drawn(1)
    assert np.abs(bench.run(out, x)[0] - bench.run(source, x)[0]).max() < 0.05


def test_excluded_ones_stay_floats(bench: Bench, source: Path) -> None:
    marked, out = bench.folder / "m.onnx", bench.folder / "o.onnx"
    int8(QuantizeInt8(exclude=("cell",)), source, marked, drawn(40), NullReporter())
    assert "alone" not in lower(marked, out, "onnxruntime-x86", NullReporter())
    assert len(floats(out)) == 2


def test_for_tensorrt_they_are_floats_and_it_is_said(bench: Bench, source: Path) -> None:
    stored, marked, out, say = bench.folder / "s.onnx", bench.folder / "m.onnx", bench.folder / "o.onnx", Told()
    integers(QuantizeWeights(), source, stored, NullReporter())
    lower(stored, out, "tensorrt", say)
    kept = [tensor.name for tensor in load(out).graph.initializer if tensor.data_type == TensorProto.INT8]
    assert len(floats(out)) == 2 == len(say.warnings) + len(kept)
    int8(QuantizeInt8(), source, marked, drawn(40), NullReporter())
    lower(marked, out, "tensorrt", say := Told())
    assert len(floats(out)) >= 2
    assert any("stay in floats" in text for text in say.warnings)


def test_the_forecast_knows_which_kernels_read_integers_of_them(source: Path) -> None:
    facts = inspect(source, {})
    for step in (QuantizeWeights(), QuantizeInt8(), QuantizeDynamic()):
        assert step.left_wide(facts, Kernels(int8_everywhere=True)) == 0
        assert step.left_wide(facts, Kernels(int8_everywhere=True, integers_recurrent=False)) == facts.prunable_recurrent
