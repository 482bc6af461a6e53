"""What lies side by side in a model's outputs, as a decoder tells it before there are labels. Part of the pipeline.

Apart from `seen.py`, which decodes what is evaluated: the first look at both plans only has to keep boxes from drowning scores.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..tasks.decoder import Asked, Layout, Outputs
from ..tasks.detector import image_size
from ..tasks.exporter import ExportNotes
from ..tasks.find_decoder import recognised
from ..tasks.pose_decoder import recognised_pose


def layouts_of(feeds: Mapping[str, NDArray[np.generic]], outputs: Outputs, notes: ExportNotes) -> list[Layout]:
    """Of one inference. Nothing where the outputs are no detections and no poses, or their values cannot be such."""
    size = next(filter(None, (image_size(array.shape) for array in feeds.values())), None)
    if size is None or notes.task not in ("", "detect", "pose"):
        return []
    batch = next(iter(feeds.values())).shape[0]
    asked = Asked(size, len(notes.names) or None, batch, notes.points[0] if notes.points else None)
    try:
        if notes.task == "pose":
            poses = recognised_pose(outputs, asked)
            found = poses.layout if poses is not None and poses.poses(outputs, batch) else None
        else:
            boxes = recognised(outputs, asked)
            found = boxes.layout if boxes is not None and boxes.detections(outputs, batch) else None
    except DataRefused:
        return []
    return [] if found is None else [found]
