"""Fine-tuning: it wins accuracy back, keeps zeros, repeats itself, and refuses in words what it cannot do."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.compress.train.finetune import finetune
from edgetui.engine.config import PACKAGE
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.errors import DataRefused, RecipeRefused, RunFailed
from edgetui.engine.graph.metadata import get, put
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.schema.steps import PruneMagnitude, TrainFinetune
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, helper, numpy_helper

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is loaded: its threads wait for each other on a busy machine
torch = pytest.importorskip("torch", reason="needs torch")

DEMO = PACKAGE / "profiles" / "demo"
SHORT = TrainFinetune(epochs=2, samples=300)


class Told(NullReporter):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[float, float | None, str]] = []

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        self.steps.append((done, total, text))


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pruned")
    normalise(DEMO / "digits.onnx", folder / "normal.onnx", {}, NullReporter())
    prune(PruneMagnitude(scope="global", amount=0.9), folder / "normal.onnx", folder / "model.onnx", None, NullReporter())
    return folder / "model.onnx"


def digits(model: Path, part: str = "evaluation") -> Samples:
    """Labelled digits: a tenth for `calibration`, the rest for `evaluation`."""
    facts = inspect(model, {})
    data = Dataset(kind="npz", path=str(DEMO / "digits.npz"))
    return open_samples(data, facts.inputs, facts.shapes, part, 0, NullReporter())  # type: ignore[arg-type]


def npz(folder: Path, count: int, labels: object = None, shape: tuple[int, ...] = (1, 8, 8), name: str = "image") -> Dataset:
    arrays = {name: np.random.default_rng(1).random((count, *shape), np.float32)}
    np.savez(folder / "own.npz", **arrays, **({} if labels is None else {"labels": np.asarray(labels)}))
    return Dataset(kind="npz", path=str(folder / "own.npz"))


def opened(model: Path, data: Dataset) -> Samples:
    facts = inspect(model, {})
    return open_samples(data, facts.inputs, facts.shapes, "calibration", 0, NullReporter())


def top1(bench, path: Path, samples: Samples) -> float:
    right = [bench.run(path, batch.feeds)[0].argmax() == batch.labels[0] for batch in samples.batches(1)]
    return float(np.mean(right))


def by_name(path: Path) -> dict[str, np.ndarray]:
    return {weight.name: weight.array() for weight in weights(onnx.load(path))}


def zeros(path: Path) -> int:
    return sum(int((array == 0).sum()) for array in by_name(path).values())


def test_a_pruned_model_wins_accuracy_back_and_keeps_its_zeros(bench, tmp_path, pruned):
    unseen = digits(pruned, "calibration")
    told, out = Told(), tmp_path / "out.onnx"
    text = finetune(TrainFinetune(epochs=2), pruned, out, digits(pruned).take(400), told)
    assert top1(bench, out, unseen) > top1(bench, pruned, unseen) + 0.2
    before, after = by_name(pruned), by_name(out)
    assert all((after[name][before[name] == 0] == 0).all() for name in before)
    assert any((after[name] != before[name]).any() for name in before)
    assert text.startswith("2 epochs over 360 samples, loss ")
    assert "; on 40 held out accuracy 0." in text
    assert text.endswith("90.0 % of weights are zero")
    assert told.steps[-1][:2] == (720, 720)
    assert "epoch 2 of 2, loss " in told.steps[-1][2]


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_zeros_of_recurrent_nodes_stay_too(net, bench, tmp_path, operator, gates):
    it = net()
    x = it.node("Transpose", it.input("x", 1, 5, 6), perm=[1, 0, 2])
    cell = it.weight(1, gates * 8, 6), it.weight(1, gates * 8, 8), it.weight(1, gates * 16)
    it.node(operator, x, *cell, outputs=2, hidden_size=8)
    last = it.node("Squeeze", "t1_1", it.constant(np.array([0])))
    source, out = bench.save(it.model(it.node("Gemm", last, it.weight(3, 8), it.weight(3), transB=1))), tmp_path / "out.onnx"
    prune(PruneMagnitude(amount=0.6), source, tmp_path / "pruned.onnx", None, NullReporter())
    samples = npz(tmp_path, 48, np.arange(48) % 3, (5, 6), "x")
    finetune(SHORT, tmp_path / "pruned.onnx", out, opened(tmp_path / "pruned.onnx", samples), NullReporter())
    before, after = by_name(tmp_path / "pruned.onnx"), by_name(out)
    assert len(before) == 3
    for name, array in before.items():
        assert (after[name][array == 0] == 0).all()
        assert (after[name] != array).any()


def test_zeros_are_filled_when_they_need_not_stay(tmp_path, pruned):
    finetune(
        msgspec.structs.replace(SHORT, keep_zeros=False),
        pruned,
        tmp_path / "out.onnx",
        digits(pruned).take(160),
        NullReporter(),
    )
    assert zeros(tmp_path / "out.onnx") < zeros(pruned) / 10


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_same_seed_gives_the_same_file(tmp_path, pruned, optimizer):
    step = msgspec.structs.replace(SHORT, optimizer=optimizer, epochs=1)
    files = [tmp_path / f"{name}.onnx" for name in "abc"]
    for file, seed in zip(files, (0, 0, 1), strict=True):
        finetune(msgspec.structs.replace(step, seed=seed), pruned, file, digits(pruned).take(64), NullReporter())
    a, b, c = (file.read_bytes() for file in files)
    assert a == b
    assert a != c


def test_all_but_the_trained_values_stays(tmp_path, pruned):
    model = onnx.load(pruned)
    model.doc_string, model.producer_name = "kept", "someone"
    put(model, "wish", {"a": 1})
    onnx.save(model, tmp_path / "marked.onnx")
    finetune(SHORT, tmp_path / "marked.onnx", tmp_path / "out.onnx", digits(pruned).take(100), NullReporter())
    after = onnx.load(tmp_path / "out.onnx")
    assert get(after, "wish") == {"a": 1}
    for one in (model, after):
        for tensor in one.graph.initializer:
            tensor.ClearField("raw_data")
    assert after == model


def ending(net, kind: str) -> ModelProto:
    """A small classifier of four classes that ends in `kind`."""
    it = net()
    scores = it.node("Gemm", it.node("Flatten", it.input("image", 1, 1, 8, 8)), it.weight(64, 4), it.weight(4))
    if kind in ("Softmax", "LogSoftmax"):
        return it.model(it.node("Flatten", it.node(kind, scores, axis=1)))
    if kind == "written out":
        shares = it.node("Exp", it.node("Clip", scores, it.constant(np.float32(-20)), it.constant(np.float32(20))))
        return it.model(it.node("Div", shares, it.node("ReduceSum", shares, it.constant(np.array([1])))))
    return it.model(scores)


@pytest.mark.parametrize("kind", ["scores", "Softmax", "LogSoftmax", "written out"])
def test_every_ending_is_read_as_the_same_classes(net, bench, tmp_path, kind):
    path = bench.save(ending(net, kind))
    labels = np.arange(200) % 4
    said = finetune(
        TrainFinetune(epochs=1, batch=50), path, tmp_path / "out.onnx", opened(path, npz(tmp_path, 200, labels)), NullReporter()
    )
    plain = bench.save(ending(net, "scores"), "plain.onnx")
    expected = finetune(
        TrainFinetune(epochs=1, batch=50), plain, tmp_path / "p.onnx", opened(plain, npz(tmp_path, 200, labels)), NullReporter()
    )
    assert said == expected
    for ours, theirs in zip(by_name(tmp_path / "out.onnx").values(), by_name(tmp_path / "p.onnx").values(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_graph_for_one_sample_is_trained_with_the_gradients_of_many(net, bench, tmp_path):
    """What cannot take a batch sums gradients: the same weights come out as from the graph that can."""
    it = net()
    flat = it.node("Flatten", it.input("image", 1, 1, 8, 8))
    mean = it.node("ReduceMean", it.node("Sub", flat, it.node("ReduceMean", flat, axes=[0], keepdims=1)), axes=[0], keepdims=1)
    scores = it.node("Gemm", flat, it.weight(64, 4), it.weight(4))
    single = bench.save(it.model(it.node("Add", scores, it.node("ReduceSum", mean, it.constant(np.array([1]))))), "single.onnx")
    free = bench.save(ending(net, "scores"), "free.onnx")
    data = npz(tmp_path, 96, np.arange(96) % 4)
    for path in (single, free):
        finetune(TrainFinetune(epochs=1, batch=32), path, path.with_suffix(".out"), opened(path, data).take(96), NullReporter())
    ours, theirs = (next(iter(by_name(path.with_suffix(".out")).values())) for path in (single, free))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_learning_rate_far_too_high_ends_with_what_to_do(tmp_path, pruned):
    with pytest.raises(RunFailed) as caught:
        finetune(
            TrainFinetune(learning_rate=1e30, optimizer="sgd"),
            pruned,
            tmp_path / "out.onnx",
            digits(pruned).take(200),
            NullReporter(),
        )
    assert "NaN" in caught.value.what or "the loss became" in caught.value.what
    assert "lower the learning rate" in caught.value.fix
    assert not (tmp_path / "out.onnx").exists()


def test_a_loss_that_rises_is_warned_of(tmp_path, pruned):
    told = Told()
    finetune(TrainFinetune(epochs=1, learning_rate=3.0), pruned, tmp_path / "out.onnx", digits(pruned), told)
    assert any("the loss rose" in text for text in told.warnings)


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (None, "has no labels"),
        (np.zeros(60, np.int64), "of one class"),
        (np.arange(60) % 12, "12 classes and the model has 10"),
    ],
)
def test_labels_that_cannot_serve_are_refused(tmp_path, pruned, labels, what):
    with pytest.raises(DataRefused, match=what):
        finetune(SHORT, pruned, tmp_path / "out.onnx", opened(pruned, npz(tmp_path, 60, labels)), NullReporter())


def test_few_samples_are_warned_of(tmp_path, pruned):
    told = Told()
    finetune(SHORT, pruned, tmp_path / "out.onnx", digits(pruned).take(60), told)
    assert any("trained on 60 samples of 10 classes only" in text for text in told.warnings)


def test_a_model_without_a_class_output_is_refused(net, bench, tmp_path):
    it = net()
    path = bench.save(it.model(it.conv(it.input("image", 1, 1, 8, 8), 1, 3)))
    with pytest.raises(DataRefused, match="no output of the model tells classes apart"):
        finetune(SHORT, path, tmp_path / "out.onnx", opened(path, npz(tmp_path, 40, np.arange(40) % 3)), NullReporter())


def test_nothing_to_train_and_weights_too_coarse_are_refused(net, bench, tmp_path):
    it = net()
    plain = bench.save(it.model(it.node("Flatten", it.node("Relu", it.input("image", 1, 1, 8, 8)))), "plain.onnx")
    data = npz(tmp_path, 40, np.arange(40) % 4)
    with pytest.raises(RecipeRefused, match="nothing to train"):
        finetune(SHORT, plain, tmp_path / "out.onnx", opened(plain, data), NullReporter())
    half = ending(net, "scores")
    tensor = half.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    half.graph.node.insert(1, helper.make_node("Cast", [tensor.name], ["wide"], name="wide", to=1))
    half.graph.node[2].input[1] = tensor.name
    with pytest.raises(RecipeRefused, match="FLOAT16"):
        finetune(SHORT, bench.save(half, "half.onnx"), tmp_path / "out.onnx", opened(plain, data), NullReporter())
