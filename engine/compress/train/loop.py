"""The loop that trains: batches in a random order, cross-entropy, one step of the optimizer at a time.

Apart from the step, which knows files and labels; here are tensors alone. The learning rate falls along half a cosine
(Loshchilov and Hutter 2017, SGDR: equation 5 with one period and a minimum of 0). Gradients longer than `LONGEST` are shortened
(Pascanu et al. 2013, On the difficulty of training recurrent neural networks, algorithm 1): batch norms are folded by now, and
without them single batches throw a network far off.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.samples import Batch, Samples
from ...errors import DataRefused, RunFailed
from ...network.call import ran_out_of_memory
from ...network.module import Network
from ...schema.steps import TrainFinetune
from ...system.reporter import Reporter
from .head import Reader

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 1.0
"""Norm of all gradients together."""
_WINDOW = 20
"""Losses that are averaged, for people to read and for first and last to be compared."""


@dataclass
class Losses:
    """Mean cross-entropy of a sample, before training and over its last batches."""

    first: float
    last: float


def train(
    step: TrainFinetune, module: Network, scores: Reader, gone: dict[str, Tensor], samples: Samples, size: int, say: Reporter
) -> Losses:
    """Train `module.trained` in place.

    Args:
        step: epochs, learning rate, samples in one step of the optimizer.
        module: what `as_module` made.
        scores: feeds to logarithms of probabilities, (n, classes).
        gone: by parameter, the places that are zero and stay so.
        samples: labelled ones.
        size: samples that the graph takes at once; gradients are summed up to `step.batch` of them.
        say: told of every batch.

    Raises:
        RunFailed: the loss became NaN or infinite, or memory ran out.
        DataRefused: there are fewer samples than the graph takes at once.
    """
    run = _Run(step, module, scores, gone, samples, say)
    first = run.untrained(samples.take(_WINDOW * size), size)
    for epoch in range(step.epochs):
        for batch in samples.shuffled(size, np.random.default_rng([step.seed, epoch])):
            if size == step.batch or batch.n == size:
                run.add(batch, epoch)
        run.update()
    return run.losses(first)


class _Run:
    """Gradients so far, losses so far, and the optimizer."""

    def __init__(
        self, step: TrainFinetune, module: Network, scores: Reader, gone: dict[str, Tensor], samples: Samples, say: Reporter
    ) -> None:
        import torch

        self.torch, self.step, self.module, self.scores, self.gone, self.say = torch, step, module, scores, gone, say
        self.parameters = list(module.trained.values())
        if step.optimizer == "sgd":
            self.optimizer: Any = torch.optim.SGD(self.parameters, step.learning_rate, momentum=0.9, nesterov=True)
        else:
            self.optimizer = torch.optim.Adam(self.parameters, step.learning_rate)
        self.total = step.epochs * len(samples)
        self.updates = step.epochs * math.ceil(len(samples) / step.batch)
        self.updated = self.done = self.waiting = 0
        self.recent: deque[float] = deque(maxlen=_WINDOW)

    def add(self, batch: Batch, epoch: int) -> None:
        """Gradients of one batch; a step of the optimizer when there are enough."""
        loss = self._loss(batch)
        value = float(loss.detach()) / batch.n
        if not math.isfinite(value):
            raise RunFailed(
                f"the loss became {value} after {self.done} samples of training",
                fix=f"lower the learning rate (learning_rate = {self.step.learning_rate / 10:g})",
            )
        self._backward(loss)
        self.recent.append(value)
        self.done += batch.n
        self.waiting += batch.n
        if self.waiting >= self.step.batch:
            self.update()
        text = f"samples, epoch {epoch + 1} of {self.step.epochs}, loss {_mean(self.recent):.3f}"
        self.say.progress(self.done, self.total, text)

    def untrained(self, samples: Samples, size: int) -> float:
        """The mean loss before anything is changed."""
        total, count = 0.0, 0
        with self.torch.no_grad():
            for batch in samples.batches(size):
                if size == self.step.batch or batch.n == size:
                    total, count = total + float(self._loss(batch)), count + batch.n
        return total / max(count, 1)

    def _loss(self, batch: Batch) -> Tensor:
        """The cross-entropy of all samples of a batch, summed."""
        assert batch.labels is not None
        labels = self.torch.from_numpy(batch.labels)
        found = self.scores({name: self.torch.from_numpy(np.array(array)) for name, array in batch.feeds.items()})
        loss: Tensor = self.torch.nn.functional.nll_loss(found, labels, reduction="sum")
        return loss

    def _backward(self, loss: Tensor) -> None:
        try:
            loss.backward()
        except RuntimeError as error:
            if ran_out_of_memory(error):
                raise RunFailed("training ran out of memory", fix="give the step a smaller `batch`") from error
            raise

    def update(self) -> None:
        """One step of the optimizer with the mean of the gradients that wait."""
        if not self.waiting:
            return
        with self.torch.no_grad():
            for parameter in self.parameters:
                if parameter.grad is not None:
                    parameter.grad /= self.waiting
        self.torch.nn.utils.clip_grad_norm_(self.parameters, LONGEST)
        rate = self.step.learning_rate * 0.5 * (1 + math.cos(math.pi * min(self.updated / self.updates, 1)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        with self.torch.no_grad():
            for name, places in self.gone.items():
                self.module.trained[name].masked_fill_(places, 0)
        self.updated += 1
        self.waiting = 0

    def losses(self, first: float) -> Losses:
        """How it began and how it ended; a rise is warned of."""
        if not self.done:
            raise DataRefused("there are fewer samples than the model takes at once", fix="name a larger set")
        found = Losses(first, _mean(self.recent))
        if found.last > found.first:
            self.say.warn(
                f"the loss rose from {found.first:.3f} to {found.last:.3f} in training: lower the learning rate "
                f"(it is {self.step.learning_rate:g})"
            )
        return found


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values)
