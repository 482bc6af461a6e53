"""What each unit, or each value of a setting, does to the outputs: planted trouble is found, nothing changed is said so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import DataRefused, RecipeRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.runs.kept_rows import KeptLine, KeptRows, keyed
from edgetui.engine.runs.queries import SensitivityQuestion
from edgetui.engine.schema.sensitivity import GROUPS, UNITS, Sensitivity, SensitivityRow
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import Recipe, Step, changed, plain_step
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work import forward_passes
from edgetui.engine.work.sensitivities import sensitivity
from nodes import Net
from onnx import numpy_helper
from steps import lowered

DEMO = PACKAGE / "profiles" / "demo"
BLOCKS = 4


def question(model: Path, step: Step | str, over: str = UNITS, data: str = "", **settings: object) -> SensitivityQuestion:
    chosen = plain_step(step) if isinstance(step, str) else step
    spec = RunSpec(
        model=str(model),
        recipe=Recipe(name="one", step=(chosen,)),
        dataset=read_dataset(data, {}) if data else None,
    )
    return keyed(SensitivityQuestion(spec=spec, over=over, made_up=not data, **settings))


def found(home: Path, asked: SensitivityQuestion) -> tuple[Sensitivity, list[SensitivityRow]]:
    heard: list[SensitivityRow] = []
    return sensitivity(home, asked, NullReporter(), heard.append), heard


def chain(path: Path, planted: int | None = None) -> Path:
    """Convolutions with ReLU between; the channels between two of them drawn apart, which changes nothing in floats."""
    net = Net()
    x = net.conv(net.input("image", 1, 3, 12, 12), 3, 12)
    for _ in range(BLOCKS):
        x = net.conv(net.node("Relu", x), 12, 12)
    x = net.node("Flatten", net.node("GlobalAveragePool", net.node("Relu", x)))
    model = net.model(net.node("Gemm", x, net.weight(5, 12), net.weight(5), transB=1))
    if planted is not None:
        held = {tensor.name: tensor for tensor in model.graph.initializer}
        convs = [node for node in model.graph.node if node.op_type == "Conv"]
        apart = np.exp(np.linspace(-3, 3, 12)).astype(np.float32)
        for name, shape in ((convs[planted].input[1], (-1, 1, 1, 1)), (convs[planted].input[2], (-1,))):
            _scale(held[name], apart.reshape(shape))
        _scale(held[convs[planted + 1].input[1]], (1 / apart).reshape(1, -1, 1, 1))
    onnx.save(model, path)
    return path


def _scale(tensor: onnx.TensorProto, by: np.ndarray) -> None:
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * by, tensor.name))


@pytest.mark.parametrize("planted", [1, 3])
def test_a_planted_pair_of_layers_stands_first(tmp_path, planted):
    model = chain(tmp_path / "chain.onnx", planted)
    told, heard = found(tmp_path / "home", question(model, "quantize.int8", samples=16))
    names = [node.name for node in onnx.load(model).graph.node if node.op_type == "Conv"]
    assert {row.unit for row in told.rows[:2]} == {names[planted], names[planted + 1]}
    assert len(told.rows) == len(heard) == BLOCKS + 2
    assert [row.unit for row in heard][: BLOCKS + 1] == names, "rows are told in the model's order"
    assert all(row.format == "int8" and row.local_sqnr_db is not None for row in told.rows)


@pytest.mark.parametrize("step", ["prune.magnitude", "quantize.int8", "quantize.weights", "quantize.shared"])
def test_a_recurrent_node_is_a_layer_like_others(tmp_path, step):
    net = Net()
    net.node("LSTM", net.input("x", 5, 1, 6), net.weight(1, 32, 6), net.weight(1, 32, 8), outputs=2, hidden_size=8, name="cell")
    last = net.node("Squeeze", "t0_1", net.constant(np.array([0])))
    onnx.save(net.model(net.node("Gemm", last, net.weight(3, 8), net.weight(3), transB=1, name="head")), tmp_path / "m.onnx")
    told, _ = found(tmp_path / "home", question(tmp_path / "m.onnx", step, samples=16))
    row = {row.unit: row for row in told.rows}["cell"]
    assert row.weights == 32 * 6 + 32 * 8
    assert row.sqnr_db is not None
    assert row.local_sqnr_db is not None


def test_without_anything_planted_no_layer_stands_out(tmp_path):
    told, _ = found(tmp_path / "home", question(chain(tmp_path / "chain.onnx"), "quantize.int8", samples=16))
    noise = [row.sqnr_db for row in told.rows]
    assert max(noise) - min(noise) < 20
    spoilt, _ = found(tmp_path / "home", question(chain(tmp_path / "spoilt.onnx", 1), "quantize.int8", samples=16))
    assert spoilt.rows[2].sqnr_db - spoilt.rows[1].sqnr_db > 10


def test_nothing_pruned_changes_nothing(tmp_path):
    step = changed(plain_step("prune.magnitude"), "amount", 0.0)
    told, _ = found(tmp_path / "home", question(chain(tmp_path / "chain.onnx"), step, samples=4))
    for row in told.rows:
        assert (row.sqnr_db, row.offset_rate_abs, row.zeros) == (None, 0.0, 0.0)
        assert "no change" in row.reasons["sqnr_db"]
        assert "no change" in row.reasons["local_sqnr_db"]


def test_weights_that_are_halves_already_lose_nothing_as_halves_but_by_activations(tmp_path):
    """A product of whole numbers: every value in it is a half float, so that nothing is rounded."""
    net = Net()
    x = net.node("MatMul", net.input("x", 1, 8), net.constant(net.draw.integers(-3, 4, (8, 8)).astype(np.float32)))
    model = tmp_path / "whole.onnx"
    onnx.save(net.model(net.node("Relu", x)), model)
    data = tmp_path / "whole.npz"
    np.savez(data, x=net.draw.integers(-4, 5, (6, 8)).astype(np.float32))
    told, _ = found(tmp_path / "home", question(model, "precision.fp16", data=str(data)))
    (row,) = told.rows
    assert row.sqnr_db is None
    assert "no change" in row.reasons["sqnr_db"]
    assert told.ranked_by == "sqnr_db"
    assert told.reasons["kl"]


def test_a_unit_that_a_step_leaves_as_it_is_says_why(tmp_path):
    net = Net()
    x = net.node("MatMul", net.input("x", 1, 8), net.weight(8, 8))
    y = net.node("MatMul", x, net.node("Transpose", x, perm=[1, 0]))
    onnx.save(net.model(y), tmp_path / "products.onnx")
    told, _ = found(tmp_path / "home", question(tmp_path / "products.onnx", "prune.magnitude", samples=4))
    by_name = {row.unit: row for row in told.rows}
    assert by_name["n0"].sqnr_db is not None
    assert by_name["n2"].sqnr_db is None
    assert "stays as it is" in by_name["n2"].reasons["sqnr_db"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Sensitivity:
    home = tmp_path_factory.mktemp("swept")
    asked = question(DEMO / "digits.onnx", "prune.magnitude", "threshold", str(DEMO / "digits.toml"), samples=64)
    return found(home, asked)[0]


def test_a_sweep_of_thresholds_goes_from_nothing_to_ruin(swept):
    assert [row.value for row in swept.rows] == list(plain_step("prune.magnitude").sweeps["threshold"])
    zeros = [row.zeros for row in swept.rows]
    assert zeros == sorted(zeros)
    assert swept.rows[0].offset_rate_abs < 0.001
    assert swept.rows[-1].offset_rate_abs > 0.2
    assert swept.rows[-1].kl > swept.rows[0].kl
    assert swept.rows[0].left_out is not None
    assert swept.ranked_by == "kl"


def test_the_weights_are_counted_before_and_after(swept):
    counted = swept.histogram
    assert counted.value == (swept.knee or 1e-3)
    drawn = swept.rows[0].weights - counted.beyond
    assert sum(counted.before) + counted.zeros_before == sum(counted.after) + counted.zeros_after == drawn
    assert counted.beyond <= 0.01 * swept.rows[0].weights
    assert counted.high >= 2 * counted.value, "the hole is on the axis"
    assert counted.zeros_after >= counted.zeros_before
    at = next(row for row in swept.rows if row.value == counted.value)
    assert counted.zeros_after == round(at.zeros * at.weights)


def test_a_sweep_of_amounts_zeroes_just_so_many(tmp_path):
    asked = question(
        DEMO / "digits.onnx", "prune.magnitude", "amount", str(DEMO / "digits.toml"), samples=16, values=(0.5, 0.0, 0.25)
    )
    told, _ = found(tmp_path, asked)
    assert [row.value for row in told.rows] == [0.0, 0.25, 0.5]
    assert [row.zeros for row in told.rows] == pytest.approx([0.0, 0.25, 0.5], abs=0.01)
    assert told.rows[0].sqnr_db is None
    assert "no change" in told.rows[0].reasons["sqnr_db"]


def test_what_was_found_is_not_computed_again(tmp_path):
    asked = question(chain(tmp_path / "chain.onnx"), "prune.magnitude", samples=4)
    whole, heard = found(tmp_path / "home", asked)
    again, heard_again = found(tmp_path / "home", asked)
    assert again == whole
    assert heard_again == []
    part = tmp_path / "part"
    KeptRows(part, asked.key).add(KeptLine(begin=msgspec.structs.replace(whole, state="unfinished", rows=())))
    odd = msgspec.structs.replace(heard[0], sqnr_db=12.5)
    KeptRows(part, asked.key).add(KeptLine(row=odd))
    with (part / "cache" / asked.key / "rows.jsonl").open("ab") as file:
        file.write(b'{"row": {"unit": "half a li')
    assert KeptRows(part, asked.key).read().state == "unfinished"
    resumed, _ = found(part, asked)
    assert {row.unit: row.sqnr_db for row in resumed.rows} == {row.unit: row.sqnr_db for row in whole.rows} | {odd.unit: 12.5}
    assert KeptRows(part, asked.key).read() == resumed


def test_another_setting_or_other_samples_are_another_question(tmp_path):
    model = chain(tmp_path / "chain.onnx")
    one = question(model, "prune.magnitude")
    others = [
        question(model, changed(plain_step("prune.magnitude"), "amount", 0.7)),
        question(model, "prune.magnitude", samples=8),
        question(model, "prune.magnitude", "amount"),
        question(chain(tmp_path / "chain2.onnx", 1), "prune.magnitude"),
    ]
    assert len({one.key, *(other.key for other in others)}) == len(others) + 1
    assert one.key == question(model, "prune.magnitude").key


def test_outputs_too_large_to_keep_give_the_same_rows(tmp_path, monkeypatch):
    asked = question(chain(tmp_path / "chain.onnx"), "quantize.int8", samples=16)
    kept, _ = found(tmp_path / "one", asked)
    monkeypatch.setattr(forward_passes, "KEPT_BYTES", 0)
    again, _ = found(tmp_path / "two", asked)
    assert again.rows == kept.rows


@pytest.mark.parametrize("method", ["quantize.weights", "quantize.shared", "quantize.dynamic", "prune.nm"])
def test_other_steps_change_one_unit_alone_too(tmp_path, method):
    told, _ = found(tmp_path / "home", question(chain(tmp_path / "chain.onnx"), method, samples=4))
    changed_rows = [row for row in told.rows if row.sqnr_db is not None]
    assert len(changed_rows) >= BLOCKS - 1
    assert all("stays as it is" in row.reasons["kl"] or row.reasons["kl"] for row in told.rows)


def test_ranges_at_run_time_are_those_of_a_sample_alone(tmp_path):
    """A range over sixteen samples is another than over each: a plan meets one at a time."""
    net = Net()
    model = net.model(net.node("MatMul", net.input("x", 1, 16), net.weight(16, 5)))
    onnx.save(model, tmp_path / "one.onnx")
    data = np.random.default_rng(3).standard_normal((16, 16)) * np.geomspace(1, 100, 16)[:, None]
    np.savez(tmp_path / "apart.npz", x=data.astype(np.float32))
    asked = question(tmp_path / "one.onnx", "quantize.dynamic", data=str(tmp_path / "apart.npz"))
    spec = msgspec.structs.replace(asked.spec, calibration=asked.spec.dataset, dataset=None)
    told, _ = found(tmp_path / "home", keyed(msgspec.structs.replace(asked, spec=spec)))
    file = lowered(tmp_path / "one.onnx", Recipe(step=(plain_step("quantize.dynamic"),)), tmp_path, "onnxruntime-x86")
    sessions = [ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in (tmp_path / "0.onnx", file)]
    rows = data.astype(np.float32)[:, None]
    before, after = (np.concatenate([one.run(None, {"x": row})[0] for row in rows]) for one in sessions)
    noise = ((before - after).astype(np.float64) ** 2).sum()
    assert told.samples == len(rows)
    assert told.rows[0].sqnr_db == pytest.approx(10 * np.log10((before.astype(np.float64) ** 2).sum() / noise), abs=1e-3)
    rates = (before - after) / before
    assert told.rows[0].offset_rate == pytest.approx(rates[np.abs(before) > 1e-3 * np.abs(before).max(1, keepdims=True)].mean())


def test_boxes_do_not_drown_scores(tmp_path):
    """Of a head of boxes in pixels beside scores, the layer of the scores alone is told by the scores."""
    net = Net()
    x = net.node("Relu", net.conv(net.input("image", 1, 3, 64, 64), 3, 8, strides=[8, 8]))
    boxes = net.node("Mul", net.node("Sigmoid", net.conv(x, 8, 4)), net.constant(np.float32(64)))
    scores = net.node("Sigmoid", net.conv(x, 8, 3))
    shape = [net.constant(np.array([1, n, 64])) for n in (4, 3)]
    joined = net.node("Concat", net.node("Reshape", boxes, shape[0]), net.node("Reshape", scores, shape[1]), axis=1)
    onnx.save(net.model(joined), tmp_path / "head.onnx")
    told, _ = found(tmp_path / "home", question(tmp_path / "head.onnx", "prune.magnitude", samples=4))
    by_heads = {row.unit: row for row in told.rows}
    whole = 10 * np.log10(64**2)
    names = [node.name for node in onnx.load(tmp_path / "head.onnx").graph.node if node.op_type == "Conv"]
    assert by_heads[names[2]].sqnr_db < by_heads[names[1]].sqnr_db + whole / 2


def test_made_up_inputs_are_said_and_no_samples_are_refused(tmp_path):
    asked = question(chain(tmp_path / "chain.onnx"), "prune.magnitude", samples=4)
    told, _ = found(tmp_path / "home", asked)
    assert told.data == ""
    assert any("made up" in line for line in told.warnings)
    with pytest.raises(DataRefused, match=r"no samples.*--random"):
        found(tmp_path / "home", msgspec.structs.replace(asked, made_up=False, key="other"))


def test_what_cannot_be_swept_or_done_alone_is_refused(tmp_path):
    model = chain(tmp_path / "chain.onnx")
    with pytest.raises(RecipeRefused, match="no setting `threshold`"):
        found(tmp_path / "home", question(model, "quantize.int8", "threshold"))
    with pytest.raises(RecipeRefused, match="cannot be 2"):
        found(tmp_path / "home", question(model, "prune.magnitude", "amount", values=(2.0,)))
    with pytest.raises(RecipeRefused, match="to one unit alone"):
        found(tmp_path / "home", question(model, "train.finetune"))


@pytest.mark.long
def test_resnet20_keeps_its_outputs_at_a_thousandth_and_loses_them_past_a_hundredth(shared, tmp_path):
    data = tmp_path / "cifar.toml"
    normal = "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n"
    data.write_text(f'kind = "image-folder"\npath = "{shared / "cifar10" / "test.zip"}"\n[input]\n{normal}')
    told, _ = found(tmp_path, question(shared / "models" / "resnet20_cifar10.onnx", "prune.magnitude", "threshold", str(data)))
    by = {round(float(np.log10(row.value)), 1): row for row in told.rows}
    assert by[-3.0].agreement >= 0.99
    assert by[-3.0].kl < 0.001
    assert by[-3.0].offset_rate_abs < 0.05
    assert by[-1.0].offset_rate_abs > 2 * by[-2.0].offset_rate_abs > 10 * by[-3.0].offset_rate_abs
    assert 10**-3.1 <= told.knee <= 10**-1.9


def test_groups_of_channels_are_cut_one_at_a_time_and_go_on_where_they_ended(tmp_path):
    """What a search for shares asks: rows by group and share, and the table that multiplications follow from."""
    net = Net()
    x = net.node("Relu", net.conv(net.input("image", 1, 3, 12, 12), 3, 16))
    x = net.node("Flatten", net.node("GlobalAveragePool", net.node("Relu", net.conv(x, 16, 16))))
    model = tmp_path / "m.onnx"
    onnx.save(net.model(net.node("Gemm", x, net.weight(5, 16), net.weight(5), transB=1)), model)
    asked = question(model, "prune.channels", GROUPS)
    whole, heard = found(tmp_path, asked)
    assert [(row.place, row.value) for row in whole.rows] == [(0, 0.25), (0, 0.5), (1, 0.25), (1, 0.5)]
    assert [row.key for row in heard] == [row.key for row in whole.rows]
    assert whole.channels is not None
    half = {whole.rows[0].unit: 0.5}
    assert whole.channels.macs_of(half) < whole.channels.macs
    assert 0 < whole.group_moves().of({whole.rows[0].unit: 0.25}) <= whole.group_moves().of(half)
    again = msgspec.json.decode(msgspec.json.encode(whole), type=Sensitivity)
    assert again == whole, "settings of the step among them, whose `amounts` are names with shares"
    kept = KeptRows(tmp_path, asked.key).read()
    assert kept == whole
