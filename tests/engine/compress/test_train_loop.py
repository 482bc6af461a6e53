"""The loop that trains: what it keeps and goes on from, whose weights it takes, when it ends, and what it calls a gain."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from edgetui.engine.compress.train.checkpoint import read_checkpoint, write_checkpoint
from edgetui.engine.compress.train.held_out import HeldOut, gain
from edgetui.engine.compress.train.learner import Learner, Marks
from edgetui.engine.compress.train.loop import Learnt, train
from edgetui.engine.compress.train.pieces import piece_of
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Batch, Samples
from edgetui.engine.schema.events import Learning
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.schema.steps import TrainFinetune
from edgetui.engine.system.reporter import NullReporter

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is loaded: its threads wait for each other on a busy machine
torch = pytest.importorskip("torch", reason="needs torch")

STEP = TrainFinetune(epochs=4, batch=8, learning_rate=0.05, held_out=0.25)


@pytest.fixture(autouse=True)
def own_threads():
    """Some tests set how many there are."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def numbers(folder: Path, values: np.ndarray) -> Samples:
    """Samples of one number each."""
    np.savez(folder / "own.npz", x=values.astype(np.float32).reshape(-1, 1))
    facts = [TensorFacts(name="x", dtype="float", shape=(1, 1))]
    return open_samples(Dataset(kind="npz", path=str(folder / "own.npz")), facts, {"x": (1, 1)}, "all", 0, NullReporter())


class Towards:
    """Learns one number: the mean of the samples. `break_at`: which batch raises, as a kill would end it."""

    def __init__(self, break_at: int = -1) -> None:
        self.place = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
        self.seen = torch.zeros(1)
        self.left = break_at

    def mark(self, batch: Batch) -> Marks:
        if torch.is_grad_enabled():
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            self.seen += batch.n
        there = torch.from_numpy(np.array(batch.feeds["x"], np.float64))
        return Marks(((there - self.place) ** 2).mean(dim=1), (there[:, 0] > 0) == (self.place[0] > 0))

    @property
    def learner(self) -> Learner:
        return Learner({"place": self.place, "seen": self.seen}, self.mark, 8)


def drawn(folder: Path) -> Samples:
    return numbers(folder, np.random.default_rng(3).normal(1.0, 0.5, 96))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("broken_at", [5, 12, 20])
def test_what_was_broken_off_ends_as_what_was_not(tmp_path, optimizer, broken_at):
    step, samples = msgspec.structs.replace(STEP, optimizer=optimizer), drawn(tmp_path)
    whole, broken, again = Towards(), Towards(broken_at), Towards()
    expected = train(step, whole.learner, samples, NullReporter(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(step, broken.learner, samples, NullReporter(), tmp_path / "kept")
    told = NullReporter()
    found = train(step, again.learner, samples, told, tmp_path / "kept")
    assert torch.equal(again.place, whole.place)
    assert torch.equal(again.seen, whole.seen)
    assert (found.best, found.epochs, found.first, found.last) == (
        expected.best,
        expected.epochs,
        expected.first,
        expected.last,
    )
    assert found.told() == expected.told()
    assert any("taken up again after epoch" in text for text in told.notes) == (broken_at > 9)


def test_a_training_that_is_kept_is_taken_up_by_no_other(tmp_path):
    samples = drawn(tmp_path)
    train(STEP, Towards().learner, samples, NullReporter(), tmp_path / "kept")
    told = NullReporter()
    train(msgspec.structs.replace(STEP, seed=1), Towards().learner, samples, told, tmp_path / "kept")
    assert any("of another training" in text for text in told.notes)
    assert len(told.epochs) == STEP.epochs


def test_without_a_folder_nothing_is_kept(tmp_path):
    train(STEP, Towards().learner, drawn(tmp_path), NullReporter())
    assert [path.name for path in tmp_path.iterdir()] == ["own.npz"]


def test_the_weights_of_the_best_epoch_are_taken(tmp_path):
    """What is trained on lies beyond what is held out: it gets better there, then worse."""
    values = np.concatenate([np.full(72, 1.0), np.full(24, 0.3)])
    samples = numbers(tmp_path, values)
    samples._order = np.arange(96)
    towards, told = Towards(), NullReporter()
    found = train(msgspec.structs.replace(STEP, epochs=8, learning_rate=0.05), towards.learner, samples, told)
    losses = [each.held_loss for each in told.epochs]
    assert 0 < found.best < 8
    assert losses[found.best - 1] == min(losses)
    assert found.after.loss == min(losses)
    assert abs(float(towards.place.detach().mean()) - 0.3) < 0.2
    assert f"weights of epoch {found.best}" in found.told()


def test_where_no_epoch_is_better_the_weights_stay_and_it_is_said(tmp_path):
    samples = numbers(tmp_path, np.concatenate([np.full(72, 1.0), np.full(24, -0.1)]))
    samples._order = np.arange(96)
    towards, told = Towards(), NullReporter()
    found = train(STEP, towards.learner, samples, told)
    assert found.best == 0
    assert (towards.place == 0).all()
    assert any("no gain on the 24 samples held out: the weights stay as they were" in text for text in told.warnings)


def test_patience_ends_it(tmp_path):
    samples = numbers(tmp_path, np.concatenate([np.full(72, 1.0), np.full(24, -0.1)]))
    samples._order = np.arange(96)
    told = NullReporter()
    found = train(msgspec.structs.replace(STEP, epochs=9, patience=2), Towards().learner, samples, told)
    assert found.epochs == len(told.epochs) == 2
    assert train(msgspec.structs.replace(STEP, epochs=9), Towards().learner, samples, NullReporter()).epochs == 9


def test_too_few_to_hold_out_is_said_and_the_last_weights_are_taken(tmp_path):
    told = NullReporter()
    found = train(msgspec.structs.replace(STEP, held_out=0.1), Towards().learner, drawn(tmp_path), told)
    assert found.before is None
    assert found.gain is None
    assert found.best == STEP.epochs
    assert any("too few to tell anything" in text for text in told.notes)
    assert "held out" not in found.told()


def test_each_epoch_is_told_with_its_figures(tmp_path):
    told = NullReporter()
    train(STEP, Towards().learner, drawn(tmp_path), told)
    assert [each.epoch for each in told.epochs] == [1, 2, 3, 4]
    last = told.epochs[-1]
    assert isinstance(last, Learning)
    assert last.held_loss is not None
    assert last.held_accuracy is not None
    assert 0 <= last.held_accuracy <= 1
    assert sum("held out: loss" in text for text in told.notes) == 4


def test_what_is_kept_is_read_without_pickle(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "made"),))

    np.savez(tmp_path / "checkpoint.npz", numbers=np.array([Evil()], object))
    told = NullReporter()
    assert read_checkpoint(tmp_path / "checkpoint.npz", "a", told) is None
    assert not (tmp_path / "made").exists()
    assert any("damaged" in text for text in told.notes)


@pytest.mark.parametrize("damage", ["short", "empty", "other", "lacks"])
def test_what_is_damaged_begins_anew(tmp_path, damage):
    file = tmp_path / "checkpoint.npz"
    write_checkpoint(file, "a", {"ended": 1}, {"now.0": np.ones(9)})
    assert read_checkpoint(file, "a", NullReporter()) is not None
    content = file.read_bytes()
    if damage == "lacks":
        kept = io.BytesIO()
        with zipfile.ZipFile(kept, "w") as into:
            into.writestr("now.0.npy", b"")
        content = kept.getvalue()
    file.write_bytes({"short": content[:-40], "empty": b"", "other": b"PK\x03\x04" * 9}.get(damage, content))
    assert read_checkpoint(file, "a", NullReporter()) is None


def test_a_gain_is_what_its_interval_shows():
    draw = np.random.default_rng(0)
    before, better = draw.random(400) < 0.5, draw.random(400) < 0.7
    marks = [HeldOut(np.zeros(400), right) for right in (before, better)]
    won = gain(*marks)
    assert won.shown
    assert won.value == pytest.approx(better.mean() - before.mean())
    spread = np.std(better.astype(float) - before.astype(float), ddof=1)
    assert won.half_width == pytest.approx(1.96 * spread / 20)
    assert not gain(marks[1], marks[0]).shown
    assert not gain(marks[0], marks[0]).shown
    assert gain(HeldOut(np.ones(50), None), HeldOut(np.linspace(0, 0.1, 50), None)).shown


def test_a_gain_is_seldom_found_where_there_is_none():
    """Of 400 pairs that differ by chance alone the interval lies above 0 in 2.5 % of the cases."""
    draw = np.random.default_rng(7)
    shown = [
        gain(HeldOut(np.zeros(300), draw.random(300) < 0.6), HeldOut(np.zeros(300), draw.random(300) < 0.6)).shown
        for _ in range(400)
    ]
    assert sum(shown) <= 22


def test_told_without_accuracy_is_of_the_loss():
    before, after = HeldOut(np.full(20, 2.0), None), HeldOut(np.full(20, 0.5), None)
    text = Learnt(2.0, 0.4, 3, 3, 180, before, after).told()
    assert text == "3 epochs over 180 samples, loss 2.000 → 0.400; on 20 held out loss 2.000 → 0.500 (-1.500 ± 0.000)"


KILLED = """
import sys
from pathlib import Path
from edgetui.engine.compress.train.finetune import finetune
from test_train_loop import digits, LONG
folder = Path(sys.argv[1])
from edgetui.engine.system.reporter import NullReporter
model, out, kept = folder / "normal.onnx", folder / f"{sys.argv[2]}.onnx", folder / sys.argv[2]
finetune(LONG, model, out, digits(model), NullReporter(), kept=kept)
"""
LONG = TrainFinetune(epochs=6, samples=None)


def digits(model: Path) -> Samples:
    from edgetui.engine.config import PACKAGE
    from edgetui.engine.inspection.inspect import inspect

    facts = inspect(model, {})
    data = Dataset(kind="npz", path=str(PACKAGE / "profiles" / "demo" / "digits.npz"))
    return open_samples(data, facts.inputs, facts.shapes, "evaluation", 0, NullReporter()).take(400)


@pytest.mark.long
def test_a_process_that_is_killed_and_begun_again_leaves_the_same_file(tmp_path):
    from edgetui.engine.config import PACKAGE
    from edgetui.engine.graph.normalise import normalise

    normalise(PACKAGE / "profiles" / "demo" / "digits.onnx", tmp_path / "normal.onnx", {}, NullReporter())
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}

    def begin(name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), name], env=environment)

    assert begin("whole").wait() == 0
    process = begin("killed")
    while process.poll() is None and not (tmp_path / "killed" / "checkpoint.npz").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() in (-signal.SIGKILL, 0)
    assert begin("killed").wait() == 0
    assert (tmp_path / "killed.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()


@pytest.mark.parametrize(("batch", "size"), [(32, 8), (30, 10), (31, 31), (8, 4), (4, 4), (1, 1), (12, 4), (64, 16)])
def test_pieces_of_a_batch_are_alike(batch, size):
    assert piece_of(batch) == size


@pytest.mark.parametrize("batch", [8, 32])
def test_weights_do_not_follow_from_the_number_of_threads(tmp_path, batch):
    """What is learnt, looked at and told: in pieces of the same size, one after the other or side by side."""
    samples, found = drawn(tmp_path), {}
    step = msgspec.structs.replace(STEP, batch=batch)
    for threads in (1, 3):
        torch.set_num_threads(threads)
        towards = Towards()
        learner = dataclasses.replace(towards.learner, size=piece_of(batch))
        learnt = train(step, learner, samples, NullReporter())
        assert torch.get_num_threads() == threads
        found[threads] = towards.place.detach().clone(), learnt.told(), learnt.first, learnt.after.losses.tolist()
    assert torch.equal(found[1][0], found[3][0])
    assert found[1][1:] == found[3][1:]
    assert float(found[1][0].min()) > 0.2


def test_what_one_piece_raises_ends_the_training(tmp_path):
    torch.set_num_threads(2)
    towards = Towards(break_at=7)
    with pytest.raises(KeyboardInterrupt):
        train(STEP, dataclasses.replace(towards.learner, size=4), drawn(tmp_path), NullReporter())
    assert torch.get_num_threads() == 2
