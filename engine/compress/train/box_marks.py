"""Marks of a detector by the boxes in its images: what is wrong with places that are assigned to boxes.

The loss is that of `network/zoo/anchor_free_loss.py`, with which such detectors are trained. Nobody says of an image whether it
is right, so that epochs are told by the loss of what is held out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...data.samples import Batch, Samples
from ...errors import DataRefused
from ...network.zoo.anchor_free_loss import BoxTargets, detection_losses
from ...system.reporter import Reporter
from ...tasks.boxes import Scene
from .box_head import BoxHead
from .learner import Marks
from .prepared import Prepared

FEW_IMAGES = 50
"""Below this many images the model rather learns them by heart; the result says so."""


class BoxMarks:
    """Marks batches for a module whose output is of boxes."""

    def __init__(self, ready: Prepared, samples: Samples, say: Reporter) -> None:
        """Raises DataRefused where the model tells other classes apart, ModelRefused where no loss is known for its head."""
        self._head = BoxHead(ready, len(samples.classes) or None)
        self._ready, self._device = ready, ready.device
        if len(samples) < FEW_IMAGES:
            say.warn(f"trained on {len(samples)} images only: name a larger `calibration` set, for few are learnt by heart")

    def __call__(self, batch: Batch) -> Marks:
        """The loss of each image."""
        self._ready.run(batch.feeds)
        return self.of_last_run(batch)

    def of_last_run(self, batch: Batch) -> Marks:
        """The same where the module has just been run on the batch."""
        distances, likely = self._head.inside()
        targets = box_targets(batch.truths.scenes, self._head.size, self._head.classes, self._device)
        return Marks(detection_losses(distances, likely, targets, self._head.size))


class WithBoxes:
    """The marks that another gives, and a share `alpha` of the boxes'."""

    def __init__(self, mark: Callable[[Batch], Marks], boxes: BoxMarks, alpha: float) -> None:
        """`mark` runs the module that `boxes` are of."""
        self._mark, self._boxes, self._alpha = mark, boxes, alpha

    def __call__(self, batch: Batch) -> Marks:
        """Marks for a batch."""
        marks = self._mark(batch)
        return Marks(self._alpha * self._boxes.of_last_run(batch).losses + (1 - self._alpha) * marks.losses)


def box_targets(scenes: tuple[Scene, ...], size: tuple[int, int], classes: int, device: str) -> BoxTargets:
    """Boxes in pixels of the input, of `size`, cut at its border; those that whoever finds them wins nothing by are left out.

    Raises:
        DataRefused: one is of a class that the model does not have.
    """
    import torch

    told = [_inside(scene, size) for scene in scenes]
    most = max([1, *(len(kinds) for _, kinds in told)])
    corners, numbers, there = (
        np.zeros((len(told), most, 4), np.float32),
        np.zeros((len(told), most), np.int64),
        np.zeros((len(told), most), np.bool_),
    )
    for place, (boxes, kinds) in enumerate(told):
        corners[place, : len(kinds)], numbers[place, : len(kinds)], there[place, : len(kinds)] = boxes, kinds, True
    if numbers.max() >= classes:
        raise DataRefused(
            f"a box is of class {numbers.max()}, and the model tells {classes} apart, from 0",
            fix="write `classes` into the dataset's TOML file, all of the model's in their order",
        )
    return BoxTargets(*(torch.from_numpy(array).to(device) for array in (numbers, corners, there)))


def _inside(scene: Scene, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    laid, truth = scene.laid, scene.truth
    corners = truth.corners * np.array(laid.scale * 2) + np.array(laid.shift * 2)
    cut = np.clip(corners, 0, np.array(size * 2))
    kept = ~truth.passed_over & (cut[:, 2:] > cut[:, :2]).all(axis=1)
    return cut[kept].astype(np.float32), truth.classes[kept]
