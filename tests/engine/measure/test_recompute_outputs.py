"""What labels say, from what an evaluation kept: the same figures as of the outputs themselves, for every kind of label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgetui.engine.measure.accuracy import AccuracyMeter
from edgetui.engine.measure.raw_arrays import read_arrays
from edgetui.engine.measure.recompute_outputs import OF, SIDES, of_outputs
from edgetui.engine.tasks.average_precision import PrecisionMeter
from edgetui.engine.tasks.boxes import Detections, TrueBoxes
from edgetui.engine.tasks.keypoint_precision import PoseMeter
from edgetui.engine.tasks.masks import UnionMeter
from edgetui.engine.tasks.told_numbers import NumberMeter


def classes(draw: np.random.Generator) -> AccuracyMeter:
    meter = AccuracyMeter()
    for _ in range(3):
        meter.add({"scores": draw.normal(size=(40, 12)).astype(np.float32)}, draw.integers(0, 12, 40))
    return meter


def boxes(draw: np.random.Generator) -> PrecisionMeter:
    """Ties of scores, a class that is never found, one that is never there, empty images, boxes that are passed over."""
    meter = PrecisionMeter()
    for image in range(12):
        many, there = (0, 3) if image == 4 else (8, int(draw.integers(0, 5)))
        low = draw.uniform(0, 50, (max(many, there), 2))
        corners = np.concatenate([low, low + draw.uniform(9, 30, low.shape)], axis=1)
        found = Detections(corners[:many], draw.integers(0, 3, many), np.round(draw.uniform(0, 1, many), 1))
        passed_over = draw.uniform(size=there) < 0.2
        near = corners[:there] + draw.normal(0, 2, (there, 4))
        meter.add(found, TrueBoxes(near, draw.integers(1, 4, there), passed_over))
    return meter


def poses(draw: np.random.Generator) -> PoseMeter:
    meter = PoseMeter()
    meter._meter = boxes(draw)
    return meter


def masks(draw: np.random.Generator) -> UnionMeter:
    meter = UnionMeter()
    for many in (3, 5, 2):
        meter.add(draw.integers(0, many, (6, 6)), draw.integers(0, many, (6, 6)), 5)
    return meter


def numbers(draw: np.random.Generator) -> NumberMeter:
    meter = NumberMeter()
    right = draw.normal(size=(30, 2))
    meter.add({"y": (right + draw.normal(0, 0.3, right.shape)).astype(np.float32)}, right)
    return meter


MADE: dict[str, Any] = {"classes": classes, "boxes": boxes, "keypoints": poses, "masks": masks, "numbers": numbers}


def told(meter: Any) -> dict[str, float | None]:
    """Its own figures, as the judges name them."""
    if isinstance(meter, AccuracyMeter):
        found = meter.figures(0)
        return {field: getattr(found, field) for field in ("top1", "top5", "precision", "recall", "f1", "f1_weighted", "n")}
    if isinstance(meter, UnionMeter):
        return {"miou": meter.figure(), "n": meter.images}
    figures = meter.figures()
    if isinstance(meter, NumberMeter):
        return {"mae": figures.mae, "r2": figures.r2, "n": meter.n}
    if isinstance(meter, PoseMeter):
        return {"oks_map50": figures.map50, "oks_map": figures.map50_95, "poses": meter.poses, "n": meter.images}
    return {"map50": figures.map50, "map50_95": figures.map50_95, "boxes": meter.boxes, "n": meter.images}


@pytest.fixture
def kept(tmp_path: Path):
    def write(kind: str, one: Any, other: Any) -> dict[str, np.ndarray]:
        arrays = {
            f"{kind} {side} {name}": array
            for side, meter in zip(SIDES, (one, other), strict=True)
            for name, array in meter.kept().items()
        }
        np.savez_compressed(tmp_path / "evaluation.npz", **arrays)
        found = read_arrays(str(tmp_path / "evaluation.npz"))
        assert not isinstance(found, str)
        return found

    return write


def test_every_kind_of_label_has_a_case():
    assert set(MADE) == set(OF)


@pytest.mark.parametrize("kind", MADE)
def test_figures_are_those_of_the_outputs(kind, kept):
    sides = [MADE[kind](np.random.default_rng(seed)) for seed in (1, 2)]
    found = dict(of_outputs(kept(kind, *sides)))
    for side, meter in zip(SIDES, sides, strict=True):
        for field, value in told(meter).items():
            assert found[f"{side}.accuracy.{field}"] == pytest.approx(value, rel=1e-12), field
            assert value > 0


@pytest.mark.parametrize("kind", MADE)
def test_a_side_against_itself_differs_in_nothing(kind, kept):
    one = MADE[kind](np.random.default_rng(1))
    found = dict(of_outputs(kept(kind, one, one)))
    differences = {path: value for path, value in found.items() if path.startswith("difference.")}
    assert differences.pop("difference.mcnemar_p", 1.0) == 1.0
    assert set(differences.values()) == {0.0}
    assert len(differences) >= 1


def test_without_boxes_there_is_no_figure(kept):
    found = dict(of_outputs(kept("boxes", PrecisionMeter(), PrecisionMeter())))
    assert found["candidate.accuracy.map50"] is None
    assert found["candidate.accuracy.boxes"] == 0


@pytest.mark.parametrize("names", [{}, {"classes baseline true": 1, "boxes candidate score": 1}, {"souls baseline n": 1}])
def test_arrays_of_no_kind_are_refused(names):
    with pytest.raises(ValueError, match="arrays of"):
        list(of_outputs({name: np.zeros(1) for name in names}))
