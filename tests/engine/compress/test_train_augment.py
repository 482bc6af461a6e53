"""Images shown in another way each time: mirrored, moved, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.compress.train.augment import Augment, moved
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset, ImageInput
from edgetui.engine.schema.steps import TrainDistill, TrainFinetune
from edgetui.engine.system.reporter import NullReporter
from PIL import Image

SHAPES = {"NCHW": (1, 3, 8, 8), "NHWC": (1, 8, 8, 3)}


def images(folder: Path, layout: str) -> Samples:
    draw = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / "set" / name).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(draw.integers(0, 255, (8, 8, 3), np.uint8)).save(folder / "set" / name / f"{number}.png")
    shape = SHAPES[layout]
    data = Dataset(kind="image-folder", path=str(folder / "set"), input=ImageInput(layout=layout))  # type: ignore[arg-type]
    return open_samples(data, [TensorFacts(name="x", dtype="float", shape=shape)], {"x": shape}, "all", 0, NullReporter())


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_images_are_mirrored_left_to_right_half_of_the_time(tmp_path, layout):
    samples = images(tmp_path, layout)
    batch = next(samples.batches(16))
    before = batch.feeds["x"].copy()
    found = Augment(TrainFinetune(flip=True), samples, NullReporter())(batch, np.random.default_rng(1)).feeds["x"]
    mirrored = before[..., ::-1] if layout == "NCHW" else before[:, :, ::-1]
    same = [(new == old).all() for new, old in zip(found, before, strict=True)]
    turned = [(new == old).all() for new, old in zip(found, mirrored, strict=True)]
    assert all(a or b for a, b in zip(same, turned, strict=True))
    assert 0 < sum(turned) < 16
    assert (batch.feeds["x"] == before).all()


def test_the_same_draw_gives_the_same_images(tmp_path):
    samples = images(tmp_path, "NCHW")
    batch, step = next(samples.batches(16)), TrainFinetune(flip=True, shift=0.25)
    one, same, other = (
        Augment(step, samples, NullReporter())(batch, np.random.default_rng(seed)).feeds["x"] for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


def test_each_image_is_shown_in_its_ways_by_turns_whoever_is_beside_it(tmp_path):
    samples = images(tmp_path, "NCHW")
    batch, ways = next(samples.batches(16)), TrainDistill(width=0.5, flip=True, shift=0.25, views=3)
    augment, draw = Augment(ways, samples, NullReporter()), np.random.default_rng(0)
    shown = [augment(batch, draw, epoch).feeds["x"] for epoch in range(7)]
    assert all((shown[epoch] == shown[epoch + 3]).all() for epoch in range(4))
    assert any((shown[0] != shown[epoch]).any() for epoch in (1, 2))
    turned = replace(batch, feeds={"x": batch.feeds["x"][::-1].copy()})
    assert (augment(turned, draw, 1).feeds["x"][::-1] == shown[1]).all()
    assert len({image.tobytes() for epoch in shown for image in epoch}) > 2 * 16


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_moved_stays_itself_and_zeros_come_in(axis):
    draw, seen = np.random.default_rng(0), set()
    for _ in range(40):
        image = np.arange(1.0, 26).reshape(5, 5)
        moved(image, axis, 2, draw)
        lines = np.moveaxis(image, axis, 0)
        whole = np.moveaxis(np.arange(1.0, 26).reshape(5, 5), axis, 0)
        by = next(
            by for by in range(-2, 3) if (lines[max(by, 0) : 5 + min(by, 0)] == whole[max(-by, 0) : 5 + min(-by, 0)]).all()
        )
        assert (lines == 0).all(axis=1).sum() == abs(by)
        seen.add(by)
    assert seen == {-2, -1, 0, 1, 2}


def test_samples_that_are_no_images_stay_and_it_is_said(tmp_path):
    np.savez(tmp_path / "own.npz", x=np.ones((9, 4), np.float32))
    facts = [TensorFacts(name="x", dtype="float", shape=(1, 4))]
    samples = open_samples(Dataset(kind="npz", path=str(tmp_path / "own.npz")), facts, {"x": (1, 4)}, "all", 0, NullReporter())
    told, batch = NullReporter(), next(samples.batches(4))
    assert Augment(TrainFinetune(flip=True), samples, told)(batch, np.random.default_rng(0)) is batch
    assert any("its samples stay as they are" in text for text in told.notes)
