"""Regression: MAE and R² are scikit-learn's, differences are paired, and nothing is claimed of labels that do not vary."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Batch, Truths
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.told_numbers import NumberMeter
from edgetui.engine.work.number_judge import NumberJudge
from edgetui.engine.work.seen import Seen

NOTHING_SEEN = Seen(None, None, None)
X = TensorFacts(name="x", dtype="float", shape=("n", 3))


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Labels and what is told of them, with which scikit-learn's figures below were computed."""
    draw = np.random.default_rng(11)
    right = draw.standard_normal((30, 2))
    return right, right + 0.3 * draw.standard_normal((30, 2))


def judged(right, first, second, n=None):
    judge = NumberJudge(SimpleNamespace())
    for start in range(0, len(right), 8):
        rows = slice(start, start + 8)
        batch = Batch({}, None, len(right[rows]), Truths(numbers=right[rows]))
        judge.add(batch, {"y": first[rows].astype(np.float32)}, {"y": second[rows].astype(np.float32)}, NOTHING_SEEN)
    return judge.judged(None, None, 1, 0)


def test_figures_are_scikit_learns():
    """mean_absolute_error and r2_score of scikit-learn 1.9.1."""
    right, said = drawn()
    meter = NumberMeter()
    meter.add({"y": said}, right)
    assert meter.figures() == pytest.approx((0.2468030638964785, 0.8691685389956829), abs=1e-12)
    meter = NumberMeter()
    meter.add({"y": said[:, 0]}, right[:, 0])
    assert meter.figures().r2 == pytest.approx(0.9058259200362135, abs=1e-12)


def test_a_worse_candidate_is_shown_to_be_worse():
    draw = np.random.default_rng(0)
    right = draw.standard_normal((200, 1))
    found = judged(right, right + 0.1 * draw.standard_normal((200, 1)), right + 0.4 * draw.standard_normal((200, 1)))
    one, other, apart = found.baseline, found.candidate, found.difference
    assert one.mae_low < one.mae < one.mae_high < other.mae_low
    assert one.r2_low < one.r2 < one.r2_high <= 1
    assert apart.mae_difference.value == pytest.approx(other.mae - one.mae)
    assert apart.mae_difference.low > 0 > apart.r2_points.high


def test_the_same_plan_twice_differs_in_nothing():
    right, said = drawn()
    apart = judged(right, said, said).difference
    for ratio in (apart.mae_difference, apart.r2_points):
        assert (ratio.value, ratio.low, ratio.high) == (0, 0, 0)


def test_labels_of_other_samples_are_implausible():
    draw = np.random.default_rng(0)
    right = draw.standard_normal((200, 1))
    found = judged(draw.permutation(right), right, right)
    assert found.baseline.r2 < 0
    assert "no better than saying the mean" in found.doubt


def test_labels_that_do_not_vary_have_no_variance_to_tell():
    found = judged(np.ones((30, 1)), np.full((30, 1), 1.5), np.full((30, 1), 2.0))
    assert (found.baseline.mae, found.baseline.r2, found.difference.r2_points.value) == (0.5, None, None)
    assert "all the same" in found.reasons["candidate.accuracy.r2"]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (np.zeros((4, 3)), "2 numbers a sample, and no output"),
        (np.full((4, 2), np.nan), "no numbers"),
        (np.zeros(4, int), "no out"),
    ],
)
def test_what_tells_no_such_numbers_is_refused(output, said):
    with pytest.raises(DataRefused, match=said):
        NumberMeter().add({"y": output}, np.zeros((4, 2)))


def described(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "set.npz", x=np.zeros((4, 3), np.float32), **arrays)
    (folder / "set.toml").write_text('kind = "npz"\npath = "set.npz"\ntask = "regression"\n')
    return folder / "set.toml"


def test_labels_of_floats_are_numbers(tmp_path: Path):
    right = np.array([[0.5, -1], [2, 3], [4, 5], [6, 7.5]])
    dataset = read_dataset(str(described(tmp_path, labels=right)), {})
    samples = open_samples(dataset, [X], {"x": (1, 3)}, "all", 0, NullReporter())
    assert (samples.truth, samples.labels) == ("numbers", False)
    assert np.concatenate([batch.truths.numbers for batch in samples.batches(3)]).tolist() == right.tolist()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.array([1.0, np.nan, 2, np.inf]), "no number for 2 of 4 samples"),
        (np.array([1.0, 2]), "of 2 samples, and there are 4"),
    ],
)
def test_labels_that_are_no_numbers_are_refused(labels, said, tmp_path: Path):
    dataset = read_dataset(str(described(tmp_path, labels=labels)), {})
    with pytest.raises(DataRefused, match=said):
        open_samples(dataset, [X], {"x": (1, 3)}, "all", 0, NullReporter())


def test_floats_where_classes_should_be_are_refused_with_the_way_out(tmp_path: Path):
    dataset = read_dataset(str(described(tmp_path, labels=np.array([0.5, 1, 2, 3]))), {})
    with pytest.raises(DataRefused, match='set task = "regression"'):
        open_samples(
            type(dataset)(kind="npz", path=dataset.path, task="classification"), [X], {"x": (1, 3)}, "all", 0, NullReporter()
        )
