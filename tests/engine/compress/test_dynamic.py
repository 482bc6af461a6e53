"""Ranges at run time: against ONNX Runtime's own quantize_dynamic, and what is left of it elsewhere."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.compress import dynamic as dynamics
from edgetui.engine.compress import lower as lowering
from edgetui.engine.compress.annotations import Dynamic, read_dynamic
from edgetui.engine.compress.dynamic import dynamic
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.quantize import int8
from edgetui.engine.errors import ModelRefused, RecipeRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import weights
from edgetui.engine.schema.steps import QuantizeDynamic, QuantizeInt8
from edgetui.engine.system.reporter import NullReporter
from kinds import NETS
from nodes import Bench, Net

ORT = ("onnxruntime-x86", "onnxruntime-arm")


def operators(path: Path) -> list[str]:
    return [node.op_type for node in load(path).graph.node]


def quantized(source: Path, out: Path, step: QuantizeDynamic | None = None, target: str = ORT[0]) -> NullReporter:
    say, between = NullReporter(), out.with_name("marked.onnx")
    dynamic(step or QuantizeDynamic(), source, between, say)
    assert [node.op_type for node in load(between).graph.node] == operators(source)
    lower(between, out, target, say)
    return say


@pytest.mark.parametrize("kind", ["classifier", "residual", "mobile", "shared_weight", "gemm_factors", "attention", "signal"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_outputs_are_near_and_products_are_integers(net: type[Net], bench: Bench, kind: str, per_channel: bool) -> None:
    model = NETS[kind](net())
    source, out = bench.save(model), bench.folder / "o.onnx"
    quantized(source, out, QuantizeDynamic(per_channel=per_channel))
    onnx.checker.check_model(load(out), full_check=True)
    found = operators(out)
    products = sum(found.count(name) for name in ("ConvInteger", "MatMulInteger"))
    assert products == sum(len(weight.nodes) for weight in weights(model))
    assert not weights(load(out))
    for feed in bench.feeds(model, 3):
        for got, expected in zip(bench.run(out, feed), bench.run(source, feed), strict=True):
            assert got.shape == expected.shape
            assert np.sqrt(np.mean((got - expected) ** 2)) < 0.05 * np.sqrt(np.mean(expected**2))


def test_values_are_those_of_onnxruntime_itself(net: type[Net], bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same activations in the same integers; weights in 8 bits for each column, as `quantize_dynamic` has them."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)
    made = net()
    x = made.node("Relu", made.node("MatMul", made.input("x", 4, 32), made.weight(32, 24)))
    source = bench.save(made.model(made.node("MatMul", x, made.weight(24, 8))))
    ours, theirs = bench.folder / "o.onnx", bench.folder / "t.onnx"
    monkeypatch.setattr(lowering, "_weight_bits", lambda _: 8)
    quantized(source, ours)
    quantize_dynamic(source, theirs, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
    for feed in bench.feeds(load(source), 5):
        expected, exact = bench.run(theirs, feed)[0], bench.run(source, feed)[0]
        np.testing.assert_allclose(bench.run(ours, feed)[0], expected, atol=0.02 * np.abs(exact).max())
        assert np.abs(bench.run(ours, feed)[0] - exact).max() <= 1.5 * np.abs(expected - exact).max()


@pytest.mark.parametrize(("target", "left"), [("tensorrt", True), ("tensorrt-flags", False), ("torch", True)])
def test_elsewhere_weights_alone_become_integers_and_it_is_said(net: type[Net], bench: Bench, target: str, left: bool) -> None:
    source, out = bench.save(NETS["classifier"](net())), bench.folder / "o.onnx"
    say = quantized(source, out, target=target)
    assert any("has no ranges at run time" in warning for warning in say.warnings)
    assert ("DequantizeLinear" in operators(out)) == left
    assert "DynamicQuantizeLinear" not in operators(out)
    for feed in bench.feeds(load(source), 2):
        expected = bench.run(source, feed)[0]
        np.testing.assert_allclose(bench.run(out, feed)[0], expected, atol=0.03 * np.abs(expected).max())


def test_an_input_is_quantized_once_for_all_that_read_it(net: type[Net], bench: Bench) -> None:
    made = net()
    x = made.input("x", 3, 16)
    first, second = (made.node("MatMul", x, made.weight(16, 8)) for _ in range(2))
    source, out = bench.save(made.model(made.node("Add", first, second))), bench.folder / "o.onnx"
    quantized(source, out)
    assert operators(out).count("DynamicQuantizeLinear") == 1


def test_what_is_excluded_stays_and_what_int8_has_taken_too(net: type[Net], bench: Bench) -> None:
    source, out = bench.save(NETS["classifier"](net())), bench.folder / "o.onnx"
    quantized(source, out, QuantizeDynamic(exclude=("Gemm",)))
    assert operators(out).count("ConvInteger") == 2
    assert "Gemm" in operators(out)
    calibrated, both = bench.folder / "c.onnx", bench.folder / "b.onnx"
    int8(QuantizeInt8(exclude=("Gemm",)), source, calibrated, bench.feeds(load(source), 40), NullReporter())
    quantized(calibrated, both)
    assert operators(both).count("MatMulInteger") == 1
    assert "ConvInteger" not in operators(both)
    assert operators(both).count("DequantizeLinear") > 0


def test_nothing_to_quantize_is_refused_and_the_wish_is_read_back(net: type[Net], bench: Bench) -> None:
    source, out = bench.save(NETS["classifier"](net())), bench.folder / "o.onnx"
    with pytest.raises(ModelRefused, match="no Conv, Gemm or MatMul"):
        dynamic(QuantizeDynamic(exclude=("Conv", "Gemm")), source, out, NullReporter())
    with pytest.raises(RecipeRefused, match="`head` matches no node"):
        dynamic(QuantizeDynamic(exclude=("head",)), source, out, NullReporter())
    dynamic(QuantizeDynamic(exclude=("Gemm",), per_channel=False), source, out, NullReporter())
    gemm = next(node.name for node in load(source).graph.node if node.op_type == "Gemm")
    assert read_dynamic(load(out)) == Dynamic(exclude=(gemm,), per_channel=False)


def test_without_the_wish_nothing_is_rewritten(net: type[Net], bench: Bench) -> None:
    """The control: lowering a model that nobody asked it for leaves every product in floats."""
    source, out = bench.save(NETS["classifier"](net())), bench.folder / "o.onnx"
    lower(source, out, ORT[0], NullReporter())
    assert operators(out) == operators(source)
    assert dynamics.insert(load(source), Dynamic(exclude=tuple(node.name for node in load(source).graph.node)), 8) == 0
