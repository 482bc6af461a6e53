"""A teacher is asked once for each sample, and what it said follows from nobody else in the piece."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
torch = pytest.importorskip("torch", reason="needs torch")

from edgetui.engine.compress.train.recall import Remembered, filled, samples_known_by  # noqa: E402


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
