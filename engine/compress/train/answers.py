"""Marks of a student by its teacher's answers: classes by the divergence of their softened probabilities, all else by the
distance of the outputs, as they are.

Hinton et al. 2015, Distilling the Knowledge in a Neural Network, section 2: the divergence is multiplied by the temperature's
square, so that its gradients stay as large as those of labels. Outputs that are no classes: mean squared distance, a share of
what the teacher's own vary (Ba and Caruana 2014, Do Deep Nets Really Need to be Deep?, equation 2, with normalised outputs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...data.samples import Batch
from ...errors import ModelRefused
from . import head
from .device import Feeds, feeds_on
from .learner import Marks
from .prepared import Prepared
from .recall import Remembered, Teaching

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_VARIANCE = 1e-6
"""A channel that never changes would else outweigh all others."""


class SoftClasses:
    """Marks for the output that tells classes apart: `alpha` of the labels', the rest the teacher's.

    Without labels, `right` says whether the student's class is its teacher's.
    """

    def __init__(
        self,
        student: Prepared,
        teacher: Prepared,
        output: str,
        temperature: float,
        alpha: float,
        *,
        teach: Teaching | None = None,
        remember: bool = True,
    ) -> None:
        """`alpha` 0: labels are not looked at. `teach`: what answers in the teacher's place: logarithms of probabilities.
        `remember`: ask the teacher once for each sample.
        """
        self._student, read = head.reader(student, output), head.reader(teacher, output)
        self._device, self._temperature, self._alpha = student.device, temperature, alpha
        own = _asked(lambda feeds: [read(feeds_on(student.device, feeds))], student, teacher, remember=remember)
        self._teach = teach or own

    def __call__(self, batch: Batch) -> Marks:
        """T^2 KL(teacher || student) at temperature T, and cross-entropy of the labels."""
        import torch

        functional, temperature = torch.nn.functional, self._temperature
        feeds = feeds_on(self._device, batch.feeds)
        with torch.no_grad():
            (wanted,) = self._teach(batch.feeds)
        found = self._student(feeds)
        soft = (torch.log_softmax(each / temperature, dim=1) for each in (found, wanted))
        losses = functional.kl_div(*soft, reduction="none", log_target=True).sum(dim=1) * temperature**2
        said = found.argmax(dim=1)
        if not self._alpha or batch.labels is None:
            return Marks(losses, said == wanted.argmax(dim=1))
        labels = torch.from_numpy(batch.labels).to(self._device)
        hard = functional.nll_loss(found, labels, reduction="none")
        return Marks(self._alpha * hard + (1 - self._alpha) * losses, said == labels)


class NearOutputs:
    """Marks for outputs of any kind: the mean over outputs of the squared distance from the teacher's, in its variances."""

    def __init__(
        self,
        student: Prepared,
        teacher: Prepared,
        outputs: Mapping[str, NDArray[np.generic]],
        *,
        remember: bool = True,
    ) -> None:
        """`outputs`: the teacher's for some samples, axis 0 first; those that training cannot change are left out. `remember`:
        ask the teacher once for each sample.

        Raises:
            ModelRefused: nothing is left.
        """
        import torch

        self._student = student
        changing = _changing(student)
        self._scales = {
            name: torch.from_numpy(variances(array)).to(student.device)
            for name, array in outputs.items()
            if array.dtype.kind == "f" and name in changing
        }
        if not self._scales:
            raise ModelRefused(
                "no output of the model is a quantity that training can change (they are chosen by TopK or NonMaxSuppression)",
                fix="export the model without what follows its head, or leave `train.distill` out",
            )

        def run(feeds: Feeds) -> list[Tensor]:
            answers = teacher.run(feeds)
            return [answers[name] for name in self._scales]

        self._teach = _asked(run, student, teacher, remember=remember)

    def __call__(self, batch: Batch) -> Marks:
        """One mark a sample."""
        import torch

        with torch.no_grad():
            answers = self._teach(batch.feeds)
        found = self._student.run(batch.feeds)
        parts = [
            (((found[name] - wanted) ** 2) / scale).reshape(batch.n, -1).mean(dim=1)
            for (name, scale), wanted in zip(self._scales.items(), answers, strict=True)
        ]
        return Marks(torch.stack(parts).mean(dim=0))


def _asked(teach: Teaching, student: Prepared, teacher: Prepared, *, remember: bool) -> Teaching:
    return Remembered(teach, min(student.size, teacher.size), student.device) if remember else teach


def variances(array: NDArray[np.generic]) -> NDArray[np.float32]:
    """What an output (n, ...) varies, to divide by: of each place along its shortest axis where it has several (boxes stand
    beside scores there), else of all of it. Shape such that it spreads over the output.
    """
    wide = array.astype(np.float64)
    if wide.ndim < 3:
        return np.full((1,) * wide.ndim, max(float(wide.var()), _LEAST_VARIANCE), np.float32)
    channel = 1 + int(np.argmin(wide.shape[1:]))
    others = tuple(axis for axis in range(wide.ndim) if axis != channel)
    found: NDArray[np.float64] = np.maximum(wide.var(axis=others, keepdims=True), _LEAST_VARIANCE)
    return found.astype(np.float32)


def _changing(student: Prepared) -> set[str]:
    """Outputs that have gradients."""
    found = student.run({name: array[: student.rows] for name, array in student.feeds.items()})
    return {name for name, value in found.items() if value.requires_grad}
