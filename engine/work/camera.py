"""Where a run's frames come from and what is made of a model's outputs, for workloads of whole frames.

Apart from `job.py` because the outputs are looked at once, to know what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.samples import Samples
from ..errors import DataRefused, Fix
from ..measure.issuer import Camera
from ..measure.output_deviation import FrameDeviation, of_boxes
from ..schema.spec import RunSpec
from ..tasks.boxes import Detections, Scene
from ..tasks.decoder import Asked, Outputs
from ..tasks.detector import Detector, image_size
from ..tasks.exporter import export_notes
from ..tasks.find_decoder import BOX_DECODERS, recognised
from ..tasks.likeness import SURE
from ..tasks.pose_decoder import POSE_DECODERS, PoseDecoder, find_pose_decoder

MOST_FRAMES = 64
"""Files that are held; they are taken round and round."""


def camera_of(
    session: Session, feeds: Mapping[str, NDArray[np.generic]], samples: Samples | None, spec: RunSpec, batch: int
) -> Camera:
    """Frames of `samples`, and what the outputs of `session` on `feeds` mean.

    Raises:
        DataRefused: the samples are no image files.
    """
    frames = samples.frames(MOST_FRAMES) if samples is not None else None
    if samples is None or frames is None:
        raise DataRefused(
            f"the workload {spec.workload.kind} takes frames from image files",
            fix=(Fix("name images with {}", "dataset"), Fix("measure without them: {}", "workload", "flat-out")),
        )
    return _seen(
        Camera(frames, _largest, "the largest of each output's classes", batch), session.run(feeds), feeds, samples, spec
    )


def _seen(
    camera: Camera, outputs: Outputs, feeds: Mapping[str, NDArray[np.generic]], samples: Samples, spec: RunSpec
) -> Camera:
    """Boxes, of the score that a deployed detector acts on, where the outputs are detections, said so or told by their shapes;
    poses where they are said to be such; else the largest along each output's classes.
    """
    notes = export_notes(Path(spec.model))
    size = next(filter(None, (image_size(array.shape) for array in feeds.values())), None)
    width, batch = size[0] if size is not None else 0, camera.batch
    classes = len(samples.classes or notes.names) or None
    decoder = spec.dataset.decoder if spec.dataset is not None else "auto"
    name, pose_name = BOX_DECODERS.get(decoder, "auto"), POSE_DECODERS.get(decoder, "auto")
    points = samples.points or (notes.points[0] if notes.points else None)
    if size is not None and (
        samples.truth == "keypoints" or pose_name != "auto" or (not samples.truth and notes.task == "pose")
    ):
        poser = find_pose_decoder(outputs, Asked(size, classes, batch, points), pose_name)
        return replace(
            camera,
            finish=lambda made: poser.poses(made, batch),
            finishing="poses, suppressed",
            deviates=lambda one, other: of_boxes(_around(poser, one, batch), _around(poser, other, batch), width),
            felt="the place and height of FP32's surest pose in each frame",
        )
    told = samples.truth == "boxes" or name != "auto"
    if size is not None and (
        told or (not samples.truth and notes.task in ("", "detect") and recognised(outputs, Asked(size, classes, batch)))
    ):
        detector = Detector(size, classes, name)
        look = partial(_look, detector, batch)
        seeing = replace(
            camera,
            finish=look,
            finishing=f"boxes of score {SURE:g} or more, suppressed",
            deviates=lambda one, other: of_boxes(look(one)[0], look(other)[0], width),
            felt="the place and height of FP32's surest box in each frame",
        )
        if samples.truth != "boxes":
            return seeing
        scenes = samples.scenes_of(camera.frames)
        felt = "the place and height of the largest true box in each frame"
        return replace(seeing, errs=lambda number, outputs: _error(scenes[number], look(outputs)[0]), felt=felt)
    return camera


def _error(scene: Scene | None, found: Detections) -> FrameDeviation | None:
    """How detections lie beside the largest true box; None: there is none."""
    if scene is None:
        return None
    truth = scene.truth
    sizes = (truth.corners[:, 2:] - truth.corners[:, :2]).prod(axis=1) * ~truth.passed_over
    if not sizes.size or sizes.max() <= 0:
        return None
    largest = [int(sizes.argmax())]
    true = Detections(truth.corners[largest], truth.classes[largest], np.ones(1))
    placed = replace(found, corners=scene.laid.back(found.corners))
    return of_boxes(true, placed, scene.laid.size[0])


def _look(detector: Detector, batch: int, outputs: Outputs) -> list[Detections]:
    """The boxes that a deployed detector acts on."""
    return detector.look(outputs, batch, batch, SURE)


def _around(poser: PoseDecoder, outputs: Outputs, batch: int) -> Detections:
    """The boxes around the poses of the first sample that a deployed model acts on."""
    poses = poser.poses(outputs, batch)[0]
    return Detections(poses.boxes, poses.classes, poses.scores).above(SURE)


def _largest(outputs: Outputs) -> list[NDArray[np.intp]]:
    """Along the second axis: classes of a classifier, channels of a map."""
    return [array.argmax(axis=1) for array in outputs.values() if array.ndim > 1 and array.dtype.kind == "f"]
