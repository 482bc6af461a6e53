"""Where frames come from: what is truly in each of them, and how detections lie beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from colour_detector import SIZE, colour_detector, scenery
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.data.open import open_samples
from edgetui.engine.errors import DataRefused
from edgetui.engine.measure.output_deviation import LOST
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.schema.workloads import FollowPerson
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.exporter import export_notes
from edgetui.engine.work import camera as camera_of_run
from edgetui.engine.work.camera import camera_of

INPUT = TensorFacts(name="images", dtype="float", shape=(1, 3, SIZE, SIZE))


@pytest.fixture
def looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A detector that finds squares by colour, images with boxes of which one is broken, and the camera of both."""
    monkeypatch.setattr(camera_of_run, "SURE", 0.001)  # it is never as sure as a trained one
    model, folder = colour_detector(tmp_path / "squares.onnx"), scenery(tmp_path / "set", 12)
    sorted(folder.glob("**/*.png"))[3].write_bytes(b"no image")
    data = Dataset(kind="detection", path=str(folder), task="detection")
    spec = RunSpec(model=str(model), recipe=Recipe(), dataset=data, workload=FollowPerson())
    notes = export_notes(model)
    samples = open_samples(data, (INPUT,), {"images": INPUT.shape}, "all", 0, NullReporter(), notes)
    session = OnnxRuntime().load(model, BackendSettings(threads=1))
    feeds = next(samples.take(1).batches(1)).feeds
    return samples, session, camera_of(session, feeds, samples, spec, 1)


def test_true_boxes_belong_to_their_frames(looking):
    samples, session, camera = looking
    scenes = samples.scenes_of(camera.frames)
    assert len(scenes) == len(camera.frames) == 11
    felt = []
    for number in range(len(camera.frames)):
        image = camera.frames.decoded(number)
        assert scenes[number].laid.size == image.size
        felt.append(camera.errs(number, session.run(camera.frames.fed([camera.frames.fitted(image)]))))
    known = [each for each in felt if each is not None]
    found = [each for each in known if each != LOST]
    assert len(found) >= 0.6 * len(known)  # of another frame's boxes few would lie over those that are found
    assert np.abs([each.shift for each in found]).max() < 0.5
    moved = [camera.errs((number + 1) % len(felt), session.run(camera.frames.fed([camera.frames.fitted(
        camera.frames.decoded(number))]))) for number in range(len(felt))]  # fmt: skip
    assert sum(each == LOST for each in moved) > sum(each == LOST for each in felt)


def test_detections_of_a_frame_beside_themselves_are_not_off(looking):
    _, session, camera = looking
    outputs = session.run(camera.frames.fed([camera.frames.fitted(camera.frames.decoded(0))]))
    felt = camera.deviates(outputs, outputs)
    assert felt is None or (felt.shift, felt.distance_factor, felt.lost) == (0.0, 1.0, False)
    assert camera.finishing == "boxes of score 0.001 or more, suppressed"
    assert camera.felt == "the place and height of the largest true box in each frame"


def test_samples_that_are_no_images_are_refused(tmp_path: Path, looking):
    _, session, _ = looking
    np.savez(tmp_path / "x.npz", images=np.zeros((4, 3, SIZE, SIZE), np.float32))
    data = Dataset(kind="npz", path=str(tmp_path / "x.npz"), task="none")
    samples = open_samples(data, (INPUT,), {"images": INPUT.shape}, "all", 0, NullReporter())
    spec = RunSpec(model="/m.onnx", recipe=Recipe(), dataset=data, workload=FollowPerson())
    for given in (samples, None):
        with pytest.raises(DataRefused, match="takes frames from image files; name images with --dataset D"):
            camera_of(session, {}, given, spec, 1)
