"""Which decoder reads a model's outputs as poses, and what every such decoder is.

Apart from `find_decoder.py` because a head of poses is shaped like a head of boxes with more classes: whoever asks for poses
must say so, or the model's metadata do.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from ..errors import DataRefused
from .decoder import Asked, Layout, Outputs
from .part_affinity import PartAffinity
from .poses import Poses
from .yolo_pose import EndToEndYoloPose, RawYoloPose

PoseDecoderName = Literal["auto", "yolov8-pose", "trt-pose"]
_ALL = (PartAffinity, RawYoloPose, EndToEndYoloPose)
POSE_DECODERS: dict[str, PoseDecoderName] = {kind.name: kind.name for kind in _ALL}  # type: ignore[misc]


class PoseDecoder(Protocol):
    """One layout of outputs."""

    name: str

    @property
    def classes(self) -> int | None:
        """How many it tells apart; None: the outputs' shapes do not say."""

    @property
    def points(self) -> int:
        """Keypoints of a pose."""

    @property
    def sure(self) -> bool:
        """The shapes mean this layout and hardly another."""

    @property
    def layout(self) -> Layout | None:
        """Where boxes, scores and keypoints lie in one output; None: they are outputs of their own."""

    def poses(self, outputs: Outputs, n: int) -> list[Poses]:
        """Of each of the first `n` samples, the surest first, in pixels of the input.

        Raises:
            DataRefused: the values are no such outputs.
        """


def find_pose_decoder(outputs: Outputs, asked: Asked, name: PoseDecoderName = "auto") -> PoseDecoder:
    """The decoder of these outputs.

    Raises:
        DataRefused: none fits them, or the one that is named does not.
    """
    found = recognised_pose(outputs, asked, name)
    if found is not None:
        return found
    shapes = ", ".join(f"{output} {list(np.shape(array))}" for output, array in outputs.items())
    wanted = f"poses of {asked.points} keypoints" if asked.points else "poses"
    if asked.classes:
        wanted += f" and {asked.classes} class{'' if asked.classes == 1 else 'es'}"
    which = "no decoder reads" if name == "auto" else f"decoder {name} does not read"
    raise DataRefused(
        f"{which} the model's outputs ({shapes}) as {wanted}",
        fix="check that data and model have the same keypoints and classes, name a `decoder` in the dataset's TOML file, or "
        'set task = "none" to compare outputs without labels',
    )


def recognised_pose(outputs: Outputs, asked: Asked, name: PoseDecoderName = "auto") -> PoseDecoder | None:
    """The decoder where one fits: a sure one, or of a name any."""
    found: list[PoseDecoder] = [each for kind in _ALL if name in ("auto", kind.name) for each in kind.fitting(outputs, asked)]
    fitting = [each for each in found if asked.classes is None or each.classes in (None, asked.classes)]
    return next((each for each in fitting if each.sure or name != "auto"), None)
