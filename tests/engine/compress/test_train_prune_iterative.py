"""Pruning in rounds: as much is gone as was asked for, less where accuracy would suffer, and nothing where nothing shall go."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import onnx
import pytest
from edgetui.engine.compress.train.prune_iterative import prune_iteratively, shares
from edgetui.engine.config import PACKAGE
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.errors import ModelRefused, RecipeRefused
from edgetui.engine.graph.macs import macs
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.shapes import inferred, shape_table
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.schema.step import Kernels
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeInt8, Recipe, TrainPruneIterative
from edgetui.engine.system.reporter import NullReporter

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when PyTorch is loaded: spinning threads starve the other tests
DEMO = PACKAGE / "profiles" / "demo"
SHORT = TrainPruneIterative(rounds=2)
needs_torch = pytest.mark.usefixtures("torch_here")


@pytest.fixture(scope="module")
def torch_here() -> None:
    pytest.importorskip("torch", reason="needs torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dense") / "model.onnx"
    normalise(DEMO / "digits.onnx", path, {}, NullReporter())
    return path


def digits(model: Path, count: int) -> Samples:
    facts = inspect(model, {})
    data = Dataset(kind="npz", path=str(DEMO / "digits.npz"))
    return open_samples(data, facts.inputs, facts.shapes, "evaluation", 0, NullReporter()).take(count)


def multiplications(path: Path) -> int:
    model = onnx.load(path)
    return macs(model.graph, shape_table(inferred(model, {}))) or 0


def zero(path: Path) -> tuple[int, int]:
    """Weights that are zero, and all."""
    found = [weight.array() for weight in weights(onnx.load(path))]
    return sum(int((array == 0).sum()) for array in found), sum(array.size for array in found)


def test_shares_follow_the_schedules():
    assert list(shares(TrainPruneIterative(amount=0.75, rounds=3, schedule="linear"))) == [0.25, 0.5, 0.75]
    # Zhu and Gupta 2017, equation 1, from 0: amount (1 - (1 - t / n)^3).
    assert list(shares(TrainPruneIterative(amount=0.8, rounds=4))) == pytest.approx([0.4625, 0.7, 0.7875, 0.8])
    assert list(shares(TrainPruneIterative(amount=0.3, rounds=1))) == [0.3]


@needs_torch
def test_as_much_is_gone_in_the_end_as_was_asked_for(tmp_path, model):
    said, out = NullReporter(), tmp_path / "out.onnx"
    text = prune_iteratively(msgspec.structs.replace(SHORT, amount=0.6), model, out, digits(model, 200), said)
    gone, count = zero(out)
    assert gone == int(0.6 * count)
    assert text.startswith("2 of 2 rounds, 60.0 % of ")
    assert [note.partition(":")[0] for note in said.notes if note.startswith("round ")] == ["round 1 of 2", "round 2 of 2"]


@needs_torch
def test_an_amount_of_0_removes_nothing(tmp_path, model):
    before = zero(model)
    out = tmp_path / "out.onnx"
    prune_iteratively(msgspec.structs.replace(SHORT, amount=0.0, rounds=1), model, out, digits(model, 64), NullReporter())
    assert zero(out) == before


@needs_torch
@pytest.mark.parametrize(("amount", "left"), [(0.5, 0.75), (0.0, 1.0)])
def test_whole_channels_go_in_rounds(bench, tmp_path, model, amount, left):
    """Half of them in two layers after each other is more than half of the multiplications; of nothing, nothing goes."""
    step = msgspec.structs.replace(SHORT, unit="channels", amount=amount, round_to=1, schedule="linear")
    text = prune_iteratively(step, model, tmp_path / "out.onnx", digits(model, 64), NullReporter())
    before, after = (multiplications(path) for path in (model, tmp_path / "out.onnx"))
    assert text.startswith("2 of 2 rounds, ")
    assert (after == before) if left == 1 else (0.2 * before < after < left * before)
    if amount:
        assert f"{100 * after / before:.1f} % of multiplications left" in text
    feeds = next(digits(model, 1).batches(1)).feeds
    assert bench.run(tmp_path / "out.onnx", feeds)[0].shape == bench.run(model, feeds)[0].shape


@needs_torch
def test_channels_of_which_no_block_would_go_are_refused(tmp_path, model):
    step = msgspec.structs.replace(SHORT, unit="channels", amount=0.01, round_to=8)
    with pytest.raises(ModelRefused, match="less than a block of 8"):
        prune_iteratively(step, model, tmp_path / "out.onnx", digits(model, 64), NullReporter())


@needs_torch
def test_rounds_end_where_accuracy_would_suffer(tmp_path, model):
    """A third may go without learning anything; two thirds may not."""
    step = msgspec.structs.replace(SHORT, amount=0.99, drop=0.02, schedule="linear", rounds=3, learning_rate=1e-9)
    said, out = NullReporter(), tmp_path / "out.onnx"
    text = prune_iteratively(step, model, out, digits(model, 300), said)
    gone, count = zero(out)
    assert text.startswith("1 of 3 rounds, 33.0 % of ")
    assert gone == int(0.33 * count)
    assert any("round 2 is not taken" in note for note in said.notes)


@needs_torch
def test_nothing_is_removed_where_the_first_round_costs_too_much(tmp_path, model):
    step = msgspec.structs.replace(SHORT, amount=0.99, drop=0.0, rounds=1, learning_rate=1e-9)
    said, out = NullReporter(), tmp_path / "out.onnx"
    assert prune_iteratively(step, model, out, digits(model, 300), said) == "nothing is removed, nothing is trained"
    assert zero(out)[0] == zero(model)[0]
    assert any("already the first round costs more than a `drop` of 0" in text for text in said.warnings)


@needs_torch
def test_a_drop_that_nothing_can_tell_is_refused(tmp_path, model):
    step = msgspec.structs.replace(SHORT, drop=0.01)
    with pytest.raises(RecipeRefused, match="none are"):
        prune_iteratively(step, model, tmp_path / "out.onnx", digits(model, 60), NullReporter())


@needs_torch
def test_killed_rounds_go_on_from_what_was_kept(tmp_path, model):
    """Rounds that are done are taken up and not gone through again; the file is that of an undisturbed training."""
    step = msgspec.structs.replace(SHORT, amount=0.5)
    outs = [tmp_path / f"{name}.onnx" for name in ("whole", "again")]
    prune_iteratively(step, model, outs[0], digits(model, 200), NullReporter(), tmp_path / "kept")
    said = NullReporter()
    prune_iteratively(step, model, outs[1], digits(model, 200), said, tmp_path / "kept")
    assert sum("taken up again after epoch 1 of 1" in note for note in said.notes) == 2
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_what_a_recipe_says_of_it():
    step = TrainPruneIterative(amount=0.5, rounds=4)
    assert (step.zeros, step.share, step.epochs) == (True, 0.5, 1)
    assert TrainPruneIterative(amount=0.5, drop=0.01).share is None
    whole = TrainPruneIterative(unit="channels")
    assert (whole.zeros, whole.resizes, whole.share) == (False, True, None)
    assert "zeros" not in whole.cannot_win((whole,), Kernels())
    assert "50 % zeros" in step.cannot_win((step,), Kernels())
    assert "prune first" in step.spoils((QuantizeInt8(),))[0]
    assert step.spoils((PruneMagnitude(amount=0.2),)) == []
    assert msgspec.convert({"step": [{"method": "train.prune_iterative", "rounds": 3}]}, Recipe).step[0].rounds == 3
