"""Whether the original's accuracy is to be believed, and what is wrong if it is not: part of the pipeline, after `evaluate`.

A model that is fed wrongly runs, is compressed and compared, and every figure about it is worthless. Some hundred samples are
run again with other usual preprocessing (ResNet-20 on 5000 pictures: 1400 inferences beside 10000), fewer where there are few.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.other_preprocessing import OtherPreprocessing, alternatives
from ..data.samples import Batch, Samples
from ..measure.accuracy import AccuracyMeter
from ..measure.plausible import ClassOrder, better, guessing, in_another_order, near_guessing, poor
from .concurrent import infer_all

FEW, MANY = 64, 512
"""Samples for a first look at each way, and for a second one at the best of them."""
LEAST = 12
"""Samples below which a look says nothing."""
MOST_SAID = 0.9

Right = NDArray[np.bool_]


class BetterPreprocessing(NamedTuple):
    """Preprocessing that fits better."""

    top1: float
    words: str


def accuracy_doubt(session: Session, samples: Samples, batch: int, found: AccuracyMeter) -> str:
    """A sentence on why the original's accuracy `found` over `samples` is not to be believed, or is lower than it need be.
    Empty: nothing speaks against it.
    """
    true, predicted = found.true, found.predicted
    low = near_guessing(true, predicted)
    order = in_another_order(true, predicted)
    way = _better_way(session, samples, batch, many=low or poor(true, predicted))
    if not low and order is None and way is None:
        return ""
    top1 = float(found.right().mean())
    said = f"FP32's top-1 is {top1:.3f} over {len(true)} samples"
    if low:
        said += f", and guessing gives {guessing(true, predicted):.3f}: implausible for a trained model"
        share = np.bincount(predicted).max() / len(predicted)
        said += f" (it says the same class of {share:.0%})" if share > MOST_SAID else ""
    if order is not None and (way is None or order.top1 > way.top1):
        return f"{said}; {order_words(order, samples.classes)}"
    if way is not None:
        return f"{said}; {way.words}"
    made = "`scale`, `mean`, `std` or `color` (BGR) of" if samples.pixels else "scale, mean or channels (BGR) of the arrays in"
    return (
        f"{said}; likely {made} the dataset do not fit the model, its classes are in another order, or the model was trained "
        "for something else"
    )


def told_of(session: Session, samples: Samples, batch: int, way: OtherPreprocessing | None) -> AccuracyMeter:
    """What is told of all samples, fed otherwise than they come where a `way` is given."""
    pixels = samples.pixels

    def parts() -> Iterator[Batch]:
        for part in samples.batches(batch, padded=True):
            yield part if way is None or pixels is None else way.applied(part, pixels)

    told = AccuracyMeter(len(samples.classes) or None)
    for part, (outputs,) in infer_all((session,), parts()):
        if part.labels is not None:
            told.add(outputs, part.labels)
    return told


def order_words(order: ClassOrder, classes: tuple[str, ...]) -> str:
    """What another order of the classes would win, and which are moved."""

    def named(label: int) -> str:
        return f"`{classes[label]}` (label {label})" if label < len(classes) else f"label {label}"

    some = ", ".join(f"the model's class {said} is {named(label)}" for said, label in order.moved[:3])
    more = f" and {len(order.moved) - 3} more" if len(order.moved) > 3 else ""
    return f"with the classes in another order it would be {order.top1:.3f}: {some}{more}; number the labels as the model does"


def _better_way(session: Session, samples: Samples, batch: int, *, many: bool) -> BetterPreprocessing | None:
    """Preprocessing with which clearly more samples are told right; None: none of the usual. `many`: where much is to be won
    it may cost as much as evaluating a few hundred samples does (of 300, 0.26 right for want of mean and std was not seen).
    """
    pixels, n = samples.pixels, len(samples)
    few, most = (min(n, FEW), min(n, MANY)) if many else (min(n // 32, FEW), min(n // 4, MANY))
    if pixels is None or few < LEAST:
        return None

    def right_ones(count: int, way: OtherPreprocessing | None) -> Right:
        """Which of the first samples are told right."""
        return told_of(session, samples.take(count), batch, way).right()

    now = right_ones(few, None)
    gains = [(int(right_ones(few, way).sum()) - int(now.sum()), way) for way in alternatives(pixels)]
    gain, way = max(gains, key=lambda pair: pair[0], default=(0, None))
    if way is None or gain < 1:
        return None
    other, now = right_ones(most, way), right_ones(most, None)
    if not better(other, now):
        return None
    words = f"over {len(now)} of them it is {now.mean():.3f} as they are fed, and {other.mean():.3f} with {way.words}"
    return BetterPreprocessing(float(other.mean()), f"{words}: the dataset's TOML file says how under [input]")
