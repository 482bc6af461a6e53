"""OKS mAP is what pycocotools computes, a model is like itself, and nothing is claimed of poses that are elsewhere."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
from edgetui.engine.tasks.keypoint_precision import PoseMeter, sigmas
from edgetui.engine.tasks.pose_likeness import PoseLikeness
from edgetui.engine.tasks.poses import Poses, TruePoses, around
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

POINTS = 17
Scenes = list[tuple[Poses, TruePoses]]


def drawn(seed: int, images: int = 10, steps: int = 0) -> Scenes:
    """Poses, and what is said near some of them; some are crowds, some have no keypoint; `steps`: scores with ties."""
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(images):
        n = int(draw.integers(0, 5))
        first, size = draw.uniform(0, 200, (n, 1, 2)), draw.uniform(20, 120, (n, 1, 2))
        spots = first + draw.random((n, POINTS, 2)) * size
        seen = draw.integers(0, 3, (n, POINTS, 1)) * (draw.random((n, 1, 1)) < 0.85)
        boxes = np.concatenate([first[:, 0], first[:, 0] + size[:, 0]], axis=1)
        truth = TruePoses(
            np.concatenate([spots, seen], axis=2), size.prod(axis=(1, 2)), boxes, np.zeros(n, np.int64), draw.random(n) < 0.1
        )
        near = spots + draw.normal(0, 6, spots.shape) * draw.integers(0, 2, (n, 1, 1))
        m = int(draw.integers(0, 24))
        told = np.concatenate([near, near[: n // 2], draw.uniform(0, 200, (m, POINTS, 2))])
        scores = draw.uniform(0.01, 1, len(told))
        scores = np.ceil(scores * steps) / steps if steps else scores
        made.append((Poses(told, scores, np.zeros(len(told), np.int64), around(told)), truth))
    return made


def metered(scenes: Scenes) -> PoseMeter:
    meter = PoseMeter()
    for said, truth in scenes:
        meter.add(said, truth)
    return meter


def by_pycocotools(scenes: Scenes) -> tuple[float, float]:
    annotations, results = [], []
    for image, (said, truth) in enumerate(scenes):
        for place, points in enumerate(truth.points):
            left, top, right, bottom = map(float, truth.boxes[place])
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": 1, "area": float(truth.areas[place])}
                | {"bbox": [left, top, right - left, bottom - top], "iscrowd": int(truth.crowds[place])}
                | {"keypoints": points.ravel().tolist(), "num_keypoints": int((points[:, 2] > 0).sum())}
            )
        for points, score in zip(said.points, said.scores, strict=True):
            flat = np.concatenate([points, np.ones((POINTS, 1))], axis=1).ravel().tolist()
            results.append({"image_id": image, "category_id": 1, "keypoints": flat, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        there = COCO()
        images = [{"id": n} for n in range(len(scenes))]
        there.dataset = {"info": {}, "images": images, "categories": [{"id": 1}], "annotations": annotations}
        there.createIndex()
        judge = COCOeval(there, there.loadRes(results), "keypoints")
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, -1]
    return float(precision[0].mean()), float(precision.mean())


@given(seed=st.integers(0, 2**32 - 1), steps=st.sampled_from([0, 2]))
@settings(max_examples=40)
def test_it_equals_pycocotools_with_crowds_nobody_and_ties(seed: int, steps: int):
    scenes = drawn(seed, steps=steps)
    meter = metered(scenes)
    if meter.poses and any(len(said.scores) for said, _ in scenes):
        assert meter.figures() == pytest.approx(by_pycocotools(scenes), abs=1e-6)


def test_its_bootstrap_is_around_it_and_pairs():
    scenes = drawn(3, 30)
    one, other = metered(scenes), metered([(replace(said, points=said.points + 4), truth) for said, truth in scenes])
    apart = other.bootstrap(0)[:, 1] - one.bootstrap(0)[:, 1]
    assert other.figures().map50_95 < one.figures().map50_95
    assert np.quantile(apart, 0.975) < 0
    assert np.array_equal(one.bootstrap(0), metered(scenes).bootstrap(0))


def test_poses_of_other_images_are_found_by_chance_alone():
    scenes = drawn(5, 60)
    moved = [(said, scenes[(n + 1) % len(scenes)][1]) for n, (said, _) in enumerate(scenes)]
    assert metered(moved).figures().map50 < 0.1 < metered(scenes).figures().map50


def test_a_model_is_like_itself_and_unlike_another():
    itself, another = PoseLikeness(), PoseLikeness()
    scenes = drawn(7, 30)
    for n, (said, _) in enumerate(scenes):
        itself.add(said, said)
        another.add(said, scenes[(n + 1) % len(scenes)][0])
    assert itself.figure() == pytest.approx(1)
    assert another.figure() < 0.1
    unsure = PoseLikeness()
    unsure.add(replace(scenes[0][0], scores=scenes[0][0].scores * 0.2), scenes[0][0])
    assert (unsure.poses, unsure.figure()) == (0, None)


def test_keypoints_that_are_not_cocos_have_one_spread():
    assert sigmas(17)[0] == pytest.approx(0.026)
    assert sigmas(4).tolist() == [0.25] * 4
