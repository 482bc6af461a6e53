"""A teacher is asked once for each sample, and what it said follows from nobody else in the piece."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
torch = pytest.importorskip("torch", reason="needs torch")

from edgetui.engine.compress.train.distill import distill  # noqa: E402
from edgetui.engine.compress.train.recall import Remembered, filled, samples_known_by  # noqa: E402
from edgetui.engine.config import PACKAGE  # noqa: E402
from edgetui.engine.data.open import open_samples  # noqa: E402
from edgetui.engine.graph.normalise import normalise  # noqa: E402
from edgetui.engine.inspection.inspect import inspect  # noqa: E402
from edgetui.engine.schema.spec import Dataset  # noqa: E402
from edgetui.engine.schema.steps import TrainDistill  # noqa: E402
from edgetui.engine.system.reporter import NullReporter  # noqa: E402


class Counting:
    """Answers with the sum of each sample, and counts whom it was asked for."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, feeds):
        self.sizes.append(len(feeds["x"]))
        return [torch.from_numpy(feeds["x"].sum(axis=1)), torch.from_numpy(feeds["x"] * 2)]


def piece(*values: float) -> dict[str, np.ndarray]:
    return {"x": np.array([[value, 1.0] for value in values], np.float32)}


def test_samples_that_came_before_are_answered_from_memory_whoever_is_beside_them():
    teach = Counting()
    remembered = Remembered(teach, 2, "cpu")
    first, again = remembered(piece(1, 2)), None
    remembered(piece(3, 4))
    again = remembered(piece(4, 1))
    assert teach.sizes == [2, 2]
    assert again[0].tolist() == [5.0, 2.0]
    assert again[1].tolist() == [[8.0, 2.0], [2.0, 2.0]]
    assert first[0].tolist() == [2.0, 3.0]


def test_a_piece_with_a_new_sample_is_asked_for_as_a_whole():
    teach = Counting()
    remembered = Remembered(teach, 2, "cpu")
    remembered(piece(1, 2))
    assert remembered(piece(2, 9))[0].tolist() == [3.0, 10.0]
    assert teach.sizes == [2, 2]
    assert remembered(piece(9, 1))[0].tolist() == [10.0, 2.0]
    assert teach.sizes == [2, 2]


def test_a_short_piece_is_filled_up_before_the_teacher_sees_it():
    teach = Counting()
    remembered = Remembered(teach, 4, "cpu")
    assert remembered(piece(7))[0].tolist() == [8.0]
    assert teach.sizes == [4]
    assert filled(np.arange(3), 2).tolist() == [0, 1, 2]


def test_what_does_not_fit_is_asked_each_time():
    teach = Counting()
    remembered = Remembered(teach, 2, "cpu", most_bytes=100)
    for _ in range(2):
        assert remembered(piece(1, 2))[0].tolist() == [2.0, 3.0]
    assert teach.sizes == [2, 2]


def test_samples_are_known_by_all_that_is_fed_of_them():
    both = {"a": np.zeros((3, 2), np.float32), "b": np.array([[1], [1], [2]])}
    keys = samples_known_by(both)
    assert keys[0] == keys[1] != keys[2]
    turned = {"b": both["b"], "a": both["a"]}
    assert samples_known_by(turned) == keys


class Killed(Exception):
    """Ends a training as a kill would."""


class UntilEpoch(NullReporter):
    """Ends it when that epoch is told of."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def note(self, text: str) -> None:
        if text.startswith(f"epoch {self.epoch} of "):
            raise Killed


@pytest.mark.long
@pytest.mark.parametrize("features", [0.0, 10.0])
def test_a_student_whose_training_was_killed_is_the_one_of_a_training_that_was_not(tmp_path, features):
    """What its teacher had said is forgotten then, and asked anew of other pieces, the last of them shorter."""
    demo, teacher = PACKAGE / "profiles" / "demo", tmp_path / "model.onnx"
    normalise(demo / "digits.onnx", teacher, {}, NullReporter())
    facts = inspect(teacher, {})
    data = Dataset(kind="npz", path=str(demo / "digits.npz"))
    samples = open_samples(data, facts.inputs, facts.shapes, "evaluation", 0, NullReporter()).take(125)
    step = TrainDistill(width=0.5, epochs=4, features=features)
    for folder in ("whole", "killed"):
        (tmp_path / folder).mkdir()
    distill(step, teacher, tmp_path / "whole.onnx", samples, NullReporter(), tmp_path / "whole")
    with pytest.raises(Killed):
        distill(step, teacher, tmp_path / "killed.onnx", samples, UntilEpoch(3), tmp_path / "killed")
    distill(step, teacher, tmp_path / "killed.onnx", samples, NullReporter(), tmp_path / "killed")
    assert (tmp_path / "killed.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()
