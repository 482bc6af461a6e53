"""What is wrong with a detector's raw output: classes, overlaps, distributions, over places that are assigned to boxes.

The losses that YOLOv8 was trained with, of their papers: places by task alignment (Feng et al. 2021, TOOD, section 3.2), the
complete overlap (Zheng et al. 2020, Distance-IoU Loss, eq. 10), the distribution focal loss (Li et al. 2020, Generalized Focal
Loss, eq. 6), weighed as Ultralytics does (cfg/default.yaml: 7.5, 0.5, 1.5). Here are tensors alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .anchor_free import BINS, places

if TYPE_CHECKING:
    from torch import Tensor

_BOX, _CLASS, _DISTRIBUTION = 7.5, 0.5, 1.5
_NEAREST = 10
"""Places that a box gets at most."""
_SCORE_POWER, _OVERLAP_POWER = 0.5, 6.0
_TINY = 1e-9


@dataclass(frozen=True)
class BoxTargets:
    """What is right of a batch, padded to the same number of boxes an image."""

    classes: Tensor
    """(batch, most), INT64."""
    corners: Tensor
    """(batch, most, 4) in pixels of the input: left, top, right, bottom."""
    there: Tensor
    """(batch, most), bool: no padding."""


@dataclass(frozen=True)
class _Assigned:
    corners: Tensor
    """(batch, places, 4)."""
    scores: Tensor
    """(batch, places, classes), 0 to 1."""
    taken: Tensor
    """(batch, places), bool."""


def detection_loss(raw: Tensor, targets: BoxTargets, side: int, weights: Tensor | None = None) -> Tensor:
    """The loss of a batch of square images, per image times the batch as Ultralytics has it. `raw`: (batch, 4 x BINS + classes,
    places).

    `weights`: (classes,), what scores of each class count, for rare ones to be learnt as well; None: all alike.
    """
    distances, likely = raw[:, : 4 * BINS].transpose(1, 2), raw[:, 4 * BINS :].transpose(1, 2)
    made: Tensor = detection_losses(distances, likely, targets, (side, side), weights).sum()
    return made


def detection_losses(
    distances: Tensor, likely: Tensor, targets: BoxTargets, size: tuple[int, int], weights: Tensor | None = None
) -> Tensor:
    """What is wrong in each image, (batch,), as shares of what is wanted in an image of the batch.

    Args:
        distances: logarithms of distributions, (batch, places, 4 x values).
        likely: logits of classes, (batch, places, classes).
        targets: what is right.
        size: width and height of the input in pixels.
        weights: see `detection_loss`.
    """
    import torch

    middles, strides = (torch.from_numpy(each).to(likely.device) for each in places(*size))
    boxes = decoded(distances, middles.t(), strides)
    found = _assign(likely.detach().sigmoid(), boxes.detach(), middles.t(), targets)
    total = found.scores.sum().clamp(min=1)
    classes = torch.nn.functional.binary_cross_entropy_with_logits(likely, found.scores, weights, reduction="none")
    losses = _CLASS * classes.sum((1, 2))
    taken = found.taken
    weight = found.scores.sum(-1)[taken]
    box = (1 - complete_overlap(boxes[taken], found.corners[taken])) * weight
    wanted = _sides(found.corners, middles.t(), strides, distances.shape[-1] // 4)[taken]
    spread = _distribution(distances[taken], wanted) * weight
    image = taken.nonzero()[:, 0]
    made: Tensor = losses.index_add(0, image, _BOX * box + _DISTRIBUTION * spread) / total * len(likely)
    return made


def decoded(distances: Tensor, middles: Tensor, strides: Tensor) -> Tensor:
    """Corners (batch, places, 4) in pixels, of logarithms of distributions (batch, places, 4 x values)."""
    import torch

    bins = distances.unflatten(-1, (4, -1))
    values = torch.arange(bins.shape[-1], dtype=distances.dtype, device=distances.device)
    sides = bins.softmax(-1) @ values * strides[:, None]
    made: Tensor = torch.cat([middles - sides[..., :2], middles + sides[..., 2:]], -1)
    return made


def _sides(corners: Tensor, middles: Tensor, strides: Tensor, values: int) -> Tensor:
    """Distances from each place to the sides of its box, in strides, as far as the values reach."""
    import torch

    both = torch.cat([middles - corners[..., :2], corners[..., 2:] - middles], -1) / strides[:, None]
    return both.clamp(0, values - 1.01)


def _distribution(distances: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy with the two values beside what is wanted; (n, 4 x values) and (n, 4) to (n,)."""
    import torch

    likely = distances.unflatten(-1, (4, -1)).log_softmax(-1)
    below = wanted.long()
    share = wanted - below
    near = torch.stack([below, below + 1], -1)
    mixed = torch.stack([1 - share, share], -1)
    made: Tensor = -(likely.gather(-1, near) * mixed).sum(-1).mean(-1)
    return made


def overlaps(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes that lie beside each other, (..., 4) to (...)."""
    import torch

    inner = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp(min=0).prod(-1)
    areas = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1)
    made: Tensor = inner / (areas - inner + _TINY)
    return made


def complete_overlap(one: Tensor, other: Tensor) -> Tensor:
    """The overlap less the distance of middles and the difference of shapes; boxes (n, 4) to (n,)."""
    import torch

    shared = overlaps(one, other)
    around = torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])
    apart = ((one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]) / 2).square().sum(-1)
    angles = [torch.atan((each[..., 2] - each[..., 0]) / (each[..., 3] - each[..., 1] + _TINY)) for each in (one, other)]
    shape = 4 / math.pi**2 * (angles[0] - angles[1]).square()
    with torch.no_grad():
        much = shape / (1 - shared + shape + _TINY)
    made: Tensor = shared - apart / (around.square().sum(-1) + _TINY) - much * shape
    return made


def _assign(scores: Tensor, boxes: Tensor, middles: Tensor, targets: BoxTargets) -> _Assigned:
    """Each box gets the places within it whose class and overlap fit it best; one in several goes to the largest overlap."""
    import torch

    shared = overlaps(targets.corners[:, :, None], boxes[:, None])
    of_class = scores.transpose(1, 2).gather(1, targets.classes[..., None].expand(-1, -1, scores.shape[1]))
    first, last = targets.corners[:, :, None, :2], targets.corners[:, :, None, 2:]
    inside = ((middles > first) & (middles < last)).all(-1) & targets.there[..., None]
    aligned = of_class.pow(_SCORE_POWER) * shared.pow(_OVERLAP_POWER) * inside
    best = aligned.topk(min(_NEAREST, aligned.shape[-1]), dim=-1).indices
    chosen = torch.zeros_like(inside).scatter_(-1, best, value=True) & inside
    owner = torch.where(chosen, shared, shared.new_tensor(-1.0)).argmax(1, keepdim=True)
    chosen &= torch.zeros_like(chosen).scatter_(1, owner, value=True)
    taken, number = chosen.any(1), chosen.float().argmax(1)
    kept = aligned * chosen
    height = kept.amax(-1, keepdim=True)
    reached = (shared * chosen).amax(-1, keepdim=True)
    level = (kept * reached / (height + _TINY)).amax(1)
    kinds = targets.classes.gather(1, number)
    wanted = torch.nn.functional.one_hot(kinds, scores.shape[-1]).to(scores.dtype) * (level * taken)[..., None]
    return _Assigned(targets.corners.gather(1, number[..., None].expand(-1, -1, 4)), wanted, taken)
