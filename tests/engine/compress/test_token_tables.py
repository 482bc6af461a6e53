"""Tables that ids choose rows of: steps that make integers reach them, and no inference makes floats of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.advice.forecast import size_after
from edgetui.engine.compress.dynamic import dynamic
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.shared_values import share
from edgetui.engine.compress.train.student import draw_weights
from edgetui.engine.compress.weight_only import weights as integers
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.tables import stored_tables, tables
from edgetui.engine.graph.values import array_of
from edgetui.engine.graph.walk import constants
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.schema.settings import BackendSettings, TorchSettings
from edgetui.engine.schema.steps import (
    PruneMagnitude,
    QuantizeDynamic,
    QuantizeInt8,
    QuantizeShared,
    QuantizeWeights,
    Recipe,
)
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net
from onnx import ModelProto, TensorProto

TOKENS, LONG = 300, 7
STEPS = [
    QuantizeWeights(grouping="tensor"),
    QuantizeWeights(),
    QuantizeWeights(grouping="block"),
    QuantizeWeights(bits=4),
    QuantizeWeights(bits=4, grouping="tensor"),
    QuantizeShared(bits=8),
    QuantizeShared(bits=4),
]


class Told(NullReporter):
    def warn(self, text: str) -> None:
        self.warnings.append(text)


def text_net(wide: int = 16, *, product: bool = True, twice: bool = False, tied: bool = False) -> ModelProto:
    """Rows of a table, their mean, and a Gemm."""
    it = Net()
    ids = it.input("ids", 1, LONG, kind=TensorProto.INT64)
    table = it.weight(TOKENS, wide)
    rows = it.node("Gather", table, ids, name="embedding")
    if twice:
        rows = it.node("Add", rows, it.node("Gather", table, it.input("more", 1, LONG, kind=TensorProto.INT64), name="second"))
    mean = it.node("ReduceMean", rows, axes=[1], keepdims=0)
    if tied:
        return it.model(it.node("Gemm", mean, table, it.weight(TOKENS), transB=1))
    return it.model(it.node("Gemm", mean, it.weight(4, wide), it.weight(4), transB=1) if product else mean)


def drawn(count: int) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(5)
    return [{"ids": draw.integers(0, TOKENS, (1, LONG))} for _ in range(count)]


def made(step: QuantizeWeights | QuantizeShared, source: Path, out: Path, say: NullReporter | None = None) -> str:
    kind = integers if isinstance(step, QuantizeWeights) else share
    return kind(step, source, out, say or NullReporter())  # type: ignore[operator]


def operators(path: Path) -> list[str]:
    return [node.op_type for node in load(path).graph.node]


def test_a_table_is_what_gathers_alone_read_by_ids() -> None:
    (table,) = tables(text_net(twice=True))
    assert (table.shape, table.nodes) == ((TOKENS, 16), ["embedding", "second"])
    assert tables(text_net(tied=True)) == [], "a product reads it too"
    it = Net()
    column = it.node("Gather", it.weight(6, 5), it.input("ids", 2, kind=TensorProto.INT64), axis=1)
    assert tables(it.model(column)) == [], "columns are no rows"
    it = Net()
    assert tables(it.model(it.node("Gather", it.weight(6, 5), it.constant(np.array([1]))))) == [], (
        "what is no choice is constant"
    )


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.method}-{step.bits}-{getattr(step, 'grouping', '')}")
@pytest.mark.parametrize("twice", [False, True])
def test_rows_of_integers_are_taken_and_give_what_they_say(bench: Bench, step: QuantizeWeights, twice: bool) -> None:
    source, out = bench.save(text_net(twice=twice)), bench.folder / "o.onnx"
    line = made(step, source, out)
    model = load(out)
    onnx.checker.check_model(model, full_check=True)
    assert "and 1 table" in line
    stored = stored_tables(model)
    assert len(stored) == 1 + twice
    assert {tensor.data_type for tensor in constants(model).values() if TOKENS in tensor.dims} <= {
        TensorProto.INT8, TensorProto.UINT8, *([TensorProto.FLOAT] if getattr(step, "grouping", "tensor") != "tensor" else [])
    }  # fmt: skip
    assert stored[0].packed == (step.bits == 4)
    plain, whole = array_of(tables(load(source))[0].tensor), stored[0].array()
    assert np.std(whole - plain) <= np.std(plain) * (0.02 if step.bits == 8 else 0.2)
    assert inspect(out, {}).parameters == inspect(source, {}).parameters
    feed = {**drawn(1)[0], **({"more": drawn(2)[1]["ids"]} if twice else {})}
    for one, ids in zip(stored, feed.values(), strict=True):
        (got,) = bench.run(_until(out, one.nodes[-1].output[0]), feed)
        np.testing.assert_allclose(got, whole[ids], atol=1e-6)


def _until(path: Path, tensor: str) -> Path:
    """The same file with a tensor inside as its output."""
    model = load(path)
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    cut = path.with_name("cut.onnx")
    cut.write_bytes(model.SerializeToString())
    return cut


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.method}-{step.bits}-{getattr(step, 'grouping', '')}")
def test_the_forecast_knows_how_large_the_file_becomes(bench: Bench, step: QuantizeWeights) -> None:
    source, out = bench.save(text_net()), bench.folder / "o.onnx"
    facts = inspect(source, {})
    assert (facts.tables, facts.table_rows) == (TOKENS * 16, TOKENS)
    made(step, source, out)
    assert size_after(Recipe(step=(step,)), facts) == pytest.approx(out.stat().st_size, abs=1800)
    assert out.stat().st_size < source.stat().st_size / 2
    assert size_after(Recipe(step=(step,)), facts, "tensorrt") > 4 * facts.tables  # type: ignore[operator]


def test_a_model_of_a_table_alone_is_quantized_and_what_is_excluded_stays(bench: Bench) -> None:
    source, out = bench.save(text_net(product=False)), bench.folder / "o.onnx"
    assert made(QuantizeWeights(), source, out).startswith("0 tensors and 1 table to 8 bits")
    for step in (QuantizeWeights(exclude=("embedding",)), QuantizeShared(exclude=("Gather",))):
        with pytest.raises(ModelRefused, match="no floating-point weights"):
            made(step, source, out)


def test_rows_of_an_odd_length_take_eight_bits_and_it_is_said(bench: Bench) -> None:
    source, out = bench.save(text_net(15)), bench.folder / "o.onnx"
    for step in (QuantizeWeights(bits=4), QuantizeShared(bits=3)):
        made(step, source, out, say := Told())
        assert any("odd length" in text for text in say.warnings)
        (one,) = stored_tables(load(out))
        assert (one.packed, one.size) == (False, TOKENS * 15)
        assert np.isfinite(bench.run(out, drawn(1)[0])[0]).all()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.method}-{step.bits}-{getattr(step, 'grouping', '')}")
@pytest.mark.parametrize("target", ["tensorrt", "tensorrt-flags"])
def test_tensorrt_gets_floats_of_the_same_values_and_it_is_said(bench: Bench, step: QuantizeWeights, target: str) -> None:
    source, out, folded = bench.save(text_net()), bench.folder / "o.onnx", bench.folder / "f.onnx"
    made(step, source, out)
    lower(out, folded, target, say := Told())
    assert any("values as floats" in text for text in say.warnings)
    assert stored_tables(load(folded)) == []
    (table,) = tables(load(folded))
    np.testing.assert_array_equal(table.array(), stored_tables(load(out))[0].array())
    assert "BitShift" not in operators(folded)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.method}-{step.bits}-{getattr(step, 'grouping', '')}")
def test_pytorch_takes_rows_of_integers_too(bench: Bench, step: QuantizeWeights) -> None:
    pytest.importorskip("torch", reason="needs torch")
    from edgetui.engine.backends.torch.adapter import Torch

    source, out, plan = bench.save(text_net()), bench.folder / "o.onnx", bench.folder / "plan.onnx"
    made(step, source, out)
    backend, settings = Torch(), BackendSettings(name="torch", torch=TorchSettings(device="cpu", threads=1))
    backend.build(out, plan, settings, NullReporter())
    session, (feed,) = backend.load(plan, settings), drawn(1)
    (got,) = session.run(feed).values()
    session.close()
    np.testing.assert_allclose(got, bench.run(out, feed)[0], atol=1e-5 if step.bits == 8 else 0.05)


@pytest.mark.parametrize("how", ["int8", "dynamic"])
@pytest.mark.parametrize("target", ["onnxruntime-x86", "onnxruntime-arm", "torch", "tensorrt"])
def test_beside_integer_products_they_are_integers_and_it_is_said(bench: Bench, how: str, target: str) -> None:
    source, marked, out = bench.save(text_net()), bench.folder / "m.onnx", bench.folder / "o.onnx"
    if how == "int8":
        int8(QuantizeInt8(), source, marked, drawn(40), NullReporter())
    else:
        dynamic(QuantizeDynamic(), source, marked, NullReporter())
    line = lower(marked, out, target, say := Told())
    assert len(tables(load(marked))) == 1, "the step leaves a wish alone"
    if target == "tensorrt":
        assert len(tables(load(out))) == 1
        assert any("tables of tokens stay in floats" in text for text in say.warnings)
    else:
        assert "1 table in 8 bits" in line
        assert len(stored_tables(load(out))) == 1
    (feed,) = drawn(1)
    exact = bench.run(source, feed)[0]
    assert np.abs(bench.run(out, feed)[0] - exact).max() < 0.05 * np.abs(exact).max()


def test_what_int8_takes_is_left_to_it(bench: Bench) -> None:
    source, marked, out = bench.save(text_net()), bench.folder / "m.onnx", bench.folder / "o.onnx"
    int8(QuantizeInt8(), source, marked, drawn(40), NullReporter())
    with pytest.raises(ModelRefused, match=r"quantize\.int8 comes first"):
        made(QuantizeWeights(), marked, out)
    int8(QuantizeInt8(exclude=("embedding",)), source, marked, drawn(40), NullReporter())
    assert "table" not in lower(marked, out, "onnxruntime-x86", NullReporter())


def test_pruning_leaves_tables_and_says_so_where_they_are_named(bench: Bench) -> None:
    source, out = bench.save(text_net()), bench.folder / "o.onnx"
    before = tables(load(source))[0].array()
    prune(PruneMagnitude(amount=0.5, only=("Gather", "Gemm")), source, out, None, say := Told())
    assert any("not pruned" in text for text in say.warnings)
    np.testing.assert_array_equal(tables(load(out))[0].array(), before)
    with pytest.raises(ModelRefused, match="leave no weights"):
        prune(PruneMagnitude(amount=0.5, only=("embedding",)), source, out, None, say := Told())
    assert any("not pruned" in text for text in say.warnings)


def test_a_student_that_is_drawn_has_tables_and_recurrent_biases_of_its_own() -> None:
    it = Net()
    rows = it.node("Gather", it.weight(50, 8), it.input("ids", 5, 1, kind=TensorProto.INT64))
    scaled = it.node("LayerNormalization", rows, it.weight(8), it.weight(8))
    it.node(
        "LSTM",
        scaled,
        it.weight(2, 24, 8),
        it.weight(2, 24, 6),
        it.weight(2, 48),
        outputs=2,
        hidden_size=6,
        direction="bidirectional",
    )
    model = it.model("t2_1")
    before = {name: array_of(tensor) for name, tensor in constants(model).items()}
    draw_weights(model, 0)
    after = {name: array_of(tensor) for name, tensor in constants(model).items()}
    of = {array.shape: (array, after[name]) for name, array in before.items()}
    assert not of[2, 48][1].any(), "biases are 0"
    old, new = of[50, 8]
    assert new.std() == pytest.approx(old.std(), rel=0.1)
    assert abs(np.corrcoef(old.ravel(), new.ravel())[0, 1]) < 0.2
    np.testing.assert_array_equal(*of[8,])
    assert all((was != now).all() for was, now in (of[weight.shape] for weight in weights(model)))
