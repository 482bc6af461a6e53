"""The rule of two plans: how sure the first one is of an input, and the threshold, fitted on calibration samples.

Part of the stage `build`, once both plans are there; the numbers are in `measure/threshold.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.samples import Batch, Samples
from ..errors import DataRefused
from ..measure.threshold import SmallestThreshold, smallest_threshold
from ..schema.adaptive_steps import Adaptive
from ..schema.escalation import EscalationRule, Fitted, RunTimeLimits, Sureness
from ..schema.spec import Dataset
from ..system.reporter import Reporter
from ..tasks.average_precision import PrecisionMeter
from ..tasks.boxes import Detections, TrueBoxes
from ..tasks.decoder import Asked, Outputs
from ..tasks.detector import Detector, image_size
from ..tasks.exporter import ExportNotes
from ..tasks.find_decoder import BOX_DECODERS, recognised
from ..tasks.likeness import SURE
from ..tasks.said_classes import SaidClasses, said_classes
from ..tasks.sureness import asked, class_scores

_NEARLY = 1 - 1e-9
Same = Callable[[Batch, Outputs, Outputs], NDArray[np.bool_]]
"""Whether each sample of a batch is told alike by both plans."""


class _Seen(NamedTuple):
    """Of each inference on calibration samples."""

    sure: NDArray[np.float64]
    narrow: NDArray[np.bool_]
    wide: NDArray[np.bool_]


def rule_of(
    step: Adaptive,
    names: tuple[str, str],
    sessions: tuple[Session, Session],
    samples: Samples,
    batch: int,
    dataset: Dataset | None,
    notes: ExportNotes,
    say: Reporter,
) -> EscalationRule:
    """The rule for two loaded plans, whose files have `names`; the first is of INT8.

    Raises:
        DataRefused: the outputs are neither classes nor boxes, or labels are wanted and there are none.
    """
    first = next(samples.take(1).batches(batch, padded=True))
    how = _sureness(first, sessions[0].run(first.feeds), samples, batch, dataset, notes)
    if how.by == "margin":
        how = _with_shares(how, samples, sessions[0], batch)
    rule = EscalationRule(
        narrow=names[0],
        wide=names[1],
        precision=step.precision,
        threshold=step.threshold or 0.0,
        sureness=how,
        limits=RunTimeLimits(deadline_ms=step.deadline_ms, power_w=step.power_w, temperature_c=step.temperature_c),
    )
    if not step.fits:
        return rule
    seen = _seen(how, sessions, samples.take(step.samples), batch, step.fit, say)
    found = smallest_threshold(*seen, step.agreement)
    _tell(found, step, len(seen.sure), say)
    fitted = Fitted(
        by=step.fit,
        wanted=step.agreement,
        kept=found.kept,
        kept_without=found.kept_without,
        share=found.share,
        samples=len(seen.sure),
    )
    return EscalationRule(
        narrow=rule.narrow,
        wide=rule.wide,
        precision=rule.precision,
        threshold=found.threshold,
        sureness=how,
        limits=rule.limits,
        fitted=fitted,
    )


def _tell(found: SmallestThreshold, step: Adaptive, samples: int, say: Reporter) -> None:
    what = "agree with the higher precision" if step.fit == "outputs" else "of the higher precision's right answers are kept"
    before = f"{100 * found.kept_without:.1f} % {what} without it"
    if not found.share:
        say.warn(f"adaptive: {before}, which is what was wanted: no input runs again, and the second plan is dead weight")
    elif found.share == 1.0:
        say.warn(f"adaptive: {before}, and how sure INT8 is does not tell which: every input runs again")
    else:
        say.note(
            f"threshold {found.threshold:.3g}: {100 * found.share:.1f} % of {samples} calibration inferences run again, and "
            f"{100 * found.kept:.1f} % {what}; {before}"
        )


def _sureness(
    part: Batch, outputs: Outputs, samples: Samples, batch: int, dataset: Dataset | None, notes: ExportNotes
) -> Sureness:
    """Boxes where labels, the dataset's file or the shapes of outputs say so; else classes.

    Raises:
        DataRefused: neither.
    """
    named = BOX_DECODERS.get(dataset.decoder, "auto") if dataset is not None else "auto"
    classes = len(samples.classes or notes.names) or None
    size = next(filter(None, (image_size(array.shape) for array in part.feeds.values())), None)
    told = samples.truth == "boxes" or named != "auto"
    guessed = not samples.truth and notes.task in ("", "detect")
    known = size is not None and guessed and recognised(outputs, Asked(size, classes, batch)) is not None
    if size is not None and (told or known):
        return Sureness(by="score", decoder=named, classes=classes, size=size)
    class_scores(outputs)
    return Sureness()


def _with_shares(how: Sureness, samples: Samples, session: Session, batch: int) -> Sureness:
    """Whether scores of classes are probabilities already, on some samples: one alone may sum to 1 by chance."""
    told = [said_classes(session.run(one.feeds), one.n).shares for one in samples.take(8 * batch).batches(batch, padded=True)]
    return Sureness(by=how.by, shares=all(told))


def _seen(how: Sureness, sessions: tuple[Session, Session], samples: Samples, batch: int, fit: str, say: Reporter) -> _Seen:
    """Both plans on all samples, an entry an inference: of a batch it is right where all its samples are."""
    sure_of, same = asked(how, batch), _same(how)
    if fit == "labels" and (not samples.labels or how.by != "margin"):
        raise DataRefused(
            "adaptive shall be fitted by labels, and the calibration set has no classes of samples",
            fix='write fit = "outputs" into its step, which needs no labels',
        )
    sure: list[float] = []
    right: list[tuple[bool, bool]] = []
    for done, one in enumerate(samples.batches(batch, padded=True), 1):
        first, second = (session.run(one.feeds) for session in sessions)
        sure.append(sure_of(first))
        if fit == "labels":
            told = [said_classes(outputs, one.n).first == one.labels for outputs in (first, second)]
            right.append((bool(told[0].all()), bool(told[1].all())))
        else:
            right.append((bool(same(one, first, second).all()), True))
        say.progress(done * batch, len(samples), "samples through both plans")
    narrow, wide = np.array(right, np.bool_).T
    return _Seen(np.array(sure), narrow, wide)


def _same(how: Sureness) -> Same:
    if how.by == "margin":
        return _same_class
    detector = Detector(how.size or (0, 0), how.classes, BOX_DECODERS.get(how.decoder, "auto"))

    def boxes(one: Batch, first: Outputs, second: Outputs) -> NDArray[np.bool_]:
        size = next(iter(one.feeds.values())).shape[0]
        pairs = zip(*(detector.look(outputs, one.n, size) for outputs in (first, second)), strict=True)
        return np.array([same_boxes(*pair) for pair in pairs], np.bool_)

    return boxes


def _same_class(one: Batch, first: Outputs, second: Outputs) -> NDArray[np.bool_]:
    told: list[SaidClasses] = [said_classes(outputs, one.n) for outputs in (first, second)]
    same: NDArray[np.bool_] = told[0].first == told[1].first
    return same


def same_boxes(first: Detections, second: Detections) -> bool:
    """Whether both say the same of an image: as many boxes that they are sure of, and each shares half of its union with one of
    the other's, of the same class.
    """
    one, other = first.above(SURE), second.above(SURE)
    if len(one.scores) != len(other.scores):
        return False
    if not len(one.scores):
        return True
    meter = PrecisionMeter()
    meter.add(one, TrueBoxes(other.corners, other.classes, np.zeros(len(other.scores), np.bool_)))
    return meter.figures().map50 >= _NEARLY
