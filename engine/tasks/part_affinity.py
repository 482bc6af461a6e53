"""Decoder of part-affinity models as trt_pose has them: maps of keypoints (cmap) and of limbs (paf) to poses.

Peaks of each map are found and refined, pairs of them scored along the field between them, the best pairs joined, and what
hangs together is a pose: Cao et al. 2017, Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields, in the steps and
with the numbers of trt_pose (trt_pose/parse/*.cpp, parse_objects.py). Its 18 keypoints are COCO's 17 in their order, and the
neck (tasks/human_pose/human_pose.json): of data with 17 the neck is left out.

trt_pose gives a pose no score; here it is the sum of its keypoints' peaks over the number of keypoints, so that a pose with
more and surer keypoints comes first.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .assignment import best_pairs
from .boxes import Corners
from .decoder import Asked, Outputs, floats
from .poses import Poses, around

KEYPOINTS, WITHOUT_NECK = 18, 17
SKELETON = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 7), (6, 8), (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4),
    (3, 5), (4, 6), (17, 0), (17, 5), (17, 6), (17, 11), (17, 12),
)  # fmt: skip
"""Keypoints that each pair of paf's maps joins."""
_PEAK, _LINK = 0.1, 0.1
_WINDOW = 2
"""Places on either side that a peak towers above, and that refine it."""
_SAMPLES = 7
_MOST = 100
"""Peaks of a keypoint, and poses."""

Maps = NDArray[np.float64]


class PartAffinity:
    """See the head of this file."""

    name = "trt-pose"
    classes: int | None = 1
    sure = True
    layout = None

    def __init__(self, cmap: str, paf: str, asked: Asked) -> None:
        self._cmap, self._paf, self._size = cmap, paf, asked.size
        self.points = KEYPOINTS if asked.points == KEYPOINTS else WITHOUT_NECK

    @staticmethod
    def fitting(outputs: Outputs, asked: Asked) -> Iterator[PartAffinity]:
        """Ways in which the outputs can be read so."""
        maps = floats(outputs, 4)
        for cmap, first in maps.items():
            for paf, second in maps.items():
                told = (first.shape[1], second.shape[1]) == (KEYPOINTS, 2 * len(SKELETON)) and first.shape[2:] == second.shape[
                    2:
                ]
                if told and asked.points in (None, WITHOUT_NECK, KEYPOINTS):
                    yield PartAffinity(cmap, paf, asked)

    def poses(self, outputs: Outputs, n: int) -> list[Poses]:
        """See `pose_decoder.PoseDecoder`."""
        both = (outputs[name][:n].astype(np.float64) for name in (self._cmap, self._paf))
        return [self._of(cmap, paf) for cmap, paf in zip(*both, strict=True)]

    def _of(self, cmap: Maps, paf: Maps) -> Poses:
        found = joined(np.nan_to_num(cmap, posinf=0.0, neginf=0.0), np.nan_to_num(paf, posinf=0.0, neginf=0.0))
        scale = np.array(self._size, np.float64) / np.array(cmap.shape[:0:-1])
        points, scores = np.zeros((len(found), KEYPOINTS, 2)), np.zeros(len(found))
        boxes: Corners = np.zeros((len(found), 4))
        for place, pose in enumerate(found):
            there = sorted(pose)
            spots = np.array([pose[each][:2] for each in there]) * scale
            points[place, there] = spots
            scores[place] = sum(pose[each][2] for each in there) / KEYPOINTS
            boxes[place] = around(spots[None])[0]
        order = np.argsort(-scores, kind="stable")
        classes = np.zeros(len(found), np.int64)
        return Poses(points[order][:, : self.points], np.minimum(scores[order], 1.0), classes, boxes[order])


def joined(cmap: Maps, paf: Maps) -> list[dict[int, tuple[float, float, float]]]:
    """Poses of one image: number of a keypoint to x, y (in places of the maps) and the height of its peak.

    cmap: (keypoints, height, width), paf: (2 x limbs, height, width), the y of a limb before its x.
    """
    spots, heights = zip(*(peaks(each) for each in cmap), strict=True)
    links: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for limb, (one, other) in enumerate(SKELETON):
        scores = along(paf[2 * limb : 2 * limb + 2], spots[one], spots[other])
        for a, b in best_pairs(scores) if scores.size else ():
            if scores[a, b] > _LINK:
                links.setdefault((one, a), []).append((other, b))
                links.setdefault((other, b), []).append((one, a))
    poses: list[dict[int, tuple[float, float, float]]] = []
    seen: set[tuple[int, int]] = set()
    for part, places in enumerate(spots):
        for number in range(len(places)):
            if (part, number) in seen or len(poses) >= _MOST:
                continue
            pose: dict[int, tuple[float, float, float]] = {}
            waiting = [(part, number)]
            while waiting:
                now = waiting.pop(0)
                if now in seen:
                    continue
                seen.add(now)
                down, across = spots[now[0]][now[1]]
                pose[now[0]] = (float(across), float(down), float(heights[now[0]][now[1]]))
                waiting += links.get(now, ())
            poses.append(pose)
    return poses


def peaks(each: Maps) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (n, 2) of one map that tower above their window, refined by the weights in it, as down and across from the map's
    border; and their heights.
    """
    height, width = each.shape
    size = 2 * _WINDOW + 1
    around = np.pad(each, _WINDOW, constant_values=-np.inf)
    # rows, then columns: a maximum over windows of both took two thirds of a pose's time
    around = np.maximum.reduce([around[step : step + height] for step in range(size)])
    around = np.maximum.reduce([around[:, step : step + width] for step in range(size)])
    at = np.argwhere((each >= _PEAK) & (around <= each))[:_MOST]
    mirrored = np.pad(each, _WINDOW, mode="reflect") if min(height, width) > _WINDOW else np.pad(each, _WINDOW)
    weights = np.lib.stride_tricks.sliding_window_view(mirrored, (size, size))[at[:, 0], at[:, 1]]
    steps = np.arange(-_WINDOW, _WINDOW + 1)
    whole = weights.sum(axis=(1, 2))
    whole = np.where(whole > 0, whole, 1.0)
    moved = np.stack([(weights.sum(axis=2) @ steps) / whole, (weights.sum(axis=1) @ steps) / whole], axis=1)
    return at + moved + 0.5, each[at[:, 0], at[:, 1]]


def along(field: Maps, starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much a field (2, height, width) of down and across points from each start to each end: the mean of its part along the
    line, at seven places; what lies outside is 0.
    """
    height, width = field.shape[1:]
    way = ends[None] - starts[:, None]
    unit = way / (np.linalg.norm(way, axis=2, keepdims=True) + 1e-5)
    places = starts[:, None, None] + np.linspace(0, 1, _SAMPLES)[:, None] * way[:, :, None]
    down, across = np.trunc(places[..., 0]).astype(np.intp), np.trunc(places[..., 1]).astype(np.intp)
    inside = (down >= 0) & (down < height) & (across >= 0) & (across < width)
    seen = field[:, np.clip(down, 0, height - 1), np.clip(across, 0, width - 1)] * inside
    found: NDArray[np.float64] = (seen[0] * unit[..., None, 0] + seen[1] * unit[..., None, 1]).sum(axis=2) / _SAMPLES
    return found
