"""Rules fitted on calibration samples: what two plans say alike, and who has to say how sure a plan is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.errors import DataRefused
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import Adaptive, Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.boxes import Detections
from edgetui.engine.tasks.exporter import ExportNotes
from edgetui.engine.work.fit_rule import rule_of, same_boxes
from edgetui.engine.work.splits import open_part
from linear_models import CLASSES, FEATURES, linear

DRAW = np.random.default_rng(5)
WEIGHTS = DRAW.standard_normal((FEATURES, CLASSES))
SAMPLES = DRAW.standard_normal((300, FEATURES)).astype(np.float32)
RIGHT = (SAMPLES @ WEIGHTS.astype(np.float32)).argmax(axis=1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`wide` is right of every sample, `rounded` of most, `wrong` of none and sure of it; the data with labels and without."""
    folder = tmp_path_factory.mktemp("plans")
    linear(folder / "wide.onnx", WEIGHTS)
    linear(folder / "rounded.onnx", np.round(2 * WEIGHTS) / 2)
    linear(folder / "wrong.onnx", -1000 * WEIGHTS)
    linear(folder / "shares.onnx", WEIGHTS, softmax=True)
    np.savez(folder / "labelled.npz", x=SAMPLES, labels=RIGHT)
    np.savez(folder / "plain.npz", x=SAMPLES)
    return folder


def fitted(files: Path, step: Adaptive, narrow: str = "rounded", data: str = "plain", say: NullReporter | None = None):
    say = say or NullReporter()
    dataset = Dataset(kind="npz", path=str(files / f"{data}.npz"))
    spec = RunSpec(model=str(files / "wide.onnx"), recipe=Recipe(step=()), calibration=dataset)
    inputs = [TensorFacts(name="x", dtype="float", shape=(1, FEATURES))]
    samples = open_part(spec, "calibration", inputs, {"x": (1, FEATURES)}, say)
    sessions = tuple(OnnxRuntime().load(files / f"{name}.onnx", BackendSettings(threads=1)) for name in (narrow, "wide"))
    return rule_of(step, ("a", "b"), sessions, samples, 1, dataset, ExportNotes(), say)


def test_as_many_outputs_agree_as_were_wanted(files):
    rule = fitted(files, Adaptive(agreement=0.99))
    before = float(((SAMPLES @ (np.round(2 * WEIGHTS) / 2)).argmax(axis=1) == RIGHT).mean())
    assert rule.fitted.kept_without == pytest.approx(before)
    assert before < 0.99 <= rule.fitted.kept
    assert 0 < rule.fitted.share < 1
    assert 0 < rule.threshold < 1
    assert fitted(files, Adaptive(agreement=1.0)).threshold > rule.threshold


def test_labels_fit_it_too_and_are_missed_where_there_are_none(files):
    rule = fitted(files, Adaptive(agreement=0.99, fit="labels"), data="labelled")
    assert rule.fitted.by == "labels"
    assert rule.fitted.kept >= 0.99
    with pytest.raises(DataRefused, match="no classes of samples") as caught:
        fitted(files, Adaptive(fit="labels"))
    assert 'fit = "outputs"' in caught.value.fix


def test_a_plan_that_agrees_everywhere_needs_no_second_one(files):
    say = NullReporter()
    assert fitted(files, Adaptive(), "wide", say=say).threshold == 0.0
    assert "no input runs again" in " ".join(say.warnings)


def test_a_plan_whose_errors_are_its_surest_outputs_runs_everything_again(files):
    """The negative control: sureness that tells nothing."""
    say = NullReporter()
    rule = fitted(files, Adaptive(), "wrong", say=say)
    assert (rule.threshold, rule.fitted.share) == (1.0, 1.0)
    assert "every input runs again" in " ".join(say.warnings)


def test_a_threshold_that_is_given_is_taken(files):
    rule = fitted(files, Adaptive(threshold=0.25, deadline_ms=3.0))
    assert (rule.threshold, rule.fitted, rule.limits.deadline_ms) == (0.25, None, 3.0)


def test_probabilities_are_told_from_scores(files):
    assert fitted(files, Adaptive(threshold=0.5), "shares").sureness.shares
    assert not fitted(files, Adaptive(threshold=0.5)).sureness.shares


def boxes(*corners: tuple[float, float, float, float], score: float = 0.9) -> Detections:
    n = len(corners)
    return Detections(np.array(corners, float).reshape(n, 4), np.zeros(n, np.int64), np.full(n, score))


def test_boxes_are_the_same_where_each_has_a_twin():
    one = boxes((0, 0, 10, 10), (50, 50, 90, 90))
    assert same_boxes(one, boxes((0, 1, 10, 11), (50, 52, 90, 92)))
    assert not same_boxes(one, boxes((0, 0, 10, 10)))
    assert not same_boxes(one, boxes((0, 0, 10, 10), (10, 50, 40, 90)))
    assert same_boxes(boxes(), boxes((0, 0, 9, 9), score=0.1))
    assert not same_boxes(boxes(), boxes((0, 0, 9, 9)))
