"""The loop that trains: batches in a random order, one step of the optimizer at a time, a look at held-out samples each epoch.

Apart from the steps, which know files and labels; here are tensors and marks alone. The learning rate falls along half a cosine
(Loshchilov and Hutter 2017, SGDR: equation 5 with one period and a minimum of 0). Gradients longer than `LONGEST` are shortened
(Pascanu et al. 2013, On the difficulty of training recurrent neural networks, algorithm 1): batch norms are folded by now, and
without them single batches throw a network far off.

After each epoch all that goes on is kept (`checkpoint.py`), and what is drawn follows from the seed and the epoch's number: a
training that was killed ends with the weights of one that was not.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from ...advice import words
from ...data.samples import Batch, Samples
from ...errors import DataRefused, RunFailed
from ...network.call import ran_out_of_memory
from ...schema.events import Learning
from ...schema.steps import Training
from ...system.reporter import Reporter
from .augment import Augment
from .checkpoint import read_checkpoint, write_checkpoint
from .held_out import LEAST, Gain, HeldOut, gain
from .learner import Learner
from .pieces import Through, one_by_one, side_by_side

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

LONGEST = 1.0
"""Norm of all gradients together."""
_WINDOW = 20
"""Losses that are averaged, for people to read and for first and last to be compared."""
_RISE = 1.05
"""Of a loss, that is worth a warning: windows of a model that has nothing left to learn differ by chance."""


@dataclass(frozen=True)
class Learnt:
    """How a training went. The learner's tensors are those of the best epoch."""

    first: float
    """Mean loss of a sample before training."""
    last: float
    """The same over its last batches."""
    epochs: int
    """That were gone through."""
    best: int
    """The epoch whose weights were taken; 0: those of before."""
    trained_on: int
    """Samples."""
    before: HeldOut | None
    """On the samples held out; None: none are."""
    after: HeldOut | None
    """The same with the weights that were taken."""

    @property
    def gain(self) -> Gain | None:
        """What it won on the samples held out; None: none are."""
        return None if self.before is None or self.after is None else gain(self.before, self.after)

    def told(self) -> str:
        """`2 epochs over 360 samples, loss 2.301 → 0.512; on 40 held out accuracy 0.310 → 0.925 (+0.615 ± 0.152)`."""
        text = f"{_epochs(self.epochs)} over {self.trained_on} samples, loss {self.first:.3f} → {self.last:.3f}"
        if self.before is None or self.after is None:
            return text
        won = gain(self.before, self.after)
        word, pair, sign = "loss", (self.before.loss, self.after.loss), -1
        if self.before.accuracy is not None and self.after.accuracy is not None:
            word, pair, sign = "accuracy", (self.before.accuracy, self.after.accuracy), 1
        figures = f"{word} {pair[0]:.3f} → {pair[1]:.3f} ({words.signed(sign * won.value, 3)} ± {won.half_width:.3f})"
        epoch = f", weights of epoch {self.best}" if self.best != self.epochs else ""
        return f"{text}; on {len(self.after.losses)} held out {figures}{epoch}"


def train(step: Training, learner: Learner, samples: Samples, say: Reporter, kept: Path | None = None) -> Learnt:
    """Train `learner.tensors` in place; then they are those of the best epoch by the samples held out, or of the last.

    Args:
        step: epochs, learning rate, samples in one step of the optimizer and held out, patience.
        learner: what is trained, and what for.
        samples: those to train on and to hold out.
        say: told of every batch.
        kept: folder for what is kept after each epoch, and from which it goes on; None: nothing is kept.

    Raises:
        RunFailed: the loss became NaN or infinite, or memory ran out.
        DataRefused: there are fewer samples than the graph takes at once.
        RecipeRefused: images are to be moved, and places are marked in them.
        StorageRefused: what is kept cannot be written.
    """
    learning, held = held_out_of(step, samples, say)
    file = None if kept is None else kept / "checkpoint.npz"
    with side_by_side(_threads(step, learner)) as through:
        run = _Run(step, learner, learning, held, say, through)
        if file is None or not run.take_up(file):
            run.begin()
        while run.goes_on:
            run.epoch()
            if file is not None:
                run.keep(file)
    samples.read = len(samples) - len(samples.skipped)
    return run.learnt()


def held_out_of(step: Training, samples: Samples, say: Reporter) -> tuple[Samples, Samples | None]:
    """Samples to train on, and those held out."""
    count = round(step.held_out * len(samples))
    if count < LEAST:
        if step.held_out:
            say.note(f"{count} samples would be held out, too few to tell anything: the last epoch's weights are taken")
        return samples, None
    return samples.apart(count)


def _threads(step: Training, learner: Learner) -> int:
    """How many pieces of a batch go through the model at once."""
    import torch

    if learner.size >= step.batch or any(tensor.is_cuda for tensor in learner.tensors.values()):
        return 1
    threads: int = torch.get_num_threads()
    return threads


def look(learner: Learner, held: Samples, through: Through = one_by_one) -> HeldOut | None:
    """Marks of samples held out, with the weights as they are; None: there are fewer than go through at once."""
    losses: list[NDArray[np.float64]] = []
    right: list[NDArray[np.bool_]] = []
    whole = (batch for batch in held.batches(learner.size) if learner.fits(batch.n))
    for marks in through(learner.marks_alone, whole):
        losses.append(marks.losses.double().cpu().numpy())
        if marks.right is not None:
            right.append(marks.right.cpu().numpy())
    if not losses:
        return None
    return HeldOut(np.concatenate(losses), np.concatenate(right) if right else None)


class _Piece(NamedTuple):
    """What one has given."""

    loss: float
    """Sum over its samples."""
    right: float | None
    """How many; None: nobody says."""
    gradients: tuple[Tensor | None, ...]


class _Run:
    """Losses so far, the optimizer, and the best epoch so far."""

    def __init__(
        self,
        step: Training,
        learner: Learner,
        learning: Samples,
        held: Samples | None,
        say: Reporter,
        through: Through,
    ) -> None:
        import torch

        self.torch, self.step, self.learner, self.learning, self.held, self.say = torch, step, learner, learning, held, say
        self.through = through
        self.augment = Augment(step, learning, say)
        self.parameters = [tensor for tensor in learner.tensors.values() if tensor.requires_grad]
        if step.optimizer == "sgd":
            self.optimizer: Any = torch.optim.SGD(self.parameters, step.learning_rate, momentum=0.9, nesterov=True)
        else:
            self.optimizer = torch.optim.Adam(self.parameters, step.learning_rate)
        self.total = step.epochs * len(learning)
        self.updates = step.epochs * math.ceil(len(learning) / step.batch)
        self.ended = self.best = self.updated = self.done = 0
        self.first = 0.0
        self.losses: deque[float] = deque(maxlen=_WINDOW)
        self.shares: deque[float] = deque(maxlen=_WINDOW)
        self.before: HeldOut | None = None
        self.now: HeldOut | None = None
        self.after: HeldOut | None = None
        self.best_tensors: dict[str, Tensor] = {}

    @property
    def goes_on(self) -> bool:
        """Whether another epoch comes."""
        patient = self.step.patience is None or self.held is None or self.ended - self.best < self.step.patience
        return self.ended < self.step.epochs and patient

    def begin(self) -> None:
        """Look at what is there before anything is changed."""
        total, count = 0.0, 0
        some = self.learning.take(_WINDOW * max(self.step.batch, self.learner.size)).batches(self.learner.size)
        for marks in self.through(self.learner.marks_alone, (batch for batch in some if self.learner.fits(batch.n))):
            total, count = total + float(marks.losses.sum()), count + len(marks.losses)
        self.first = total / max(count, 1)
        self.before = self.now = self._look()
        if self.before is not None:
            self._take_best()

    def epoch(self) -> None:
        """Go through all samples once, and look how well it went."""
        draw = np.random.default_rng([self.step.seed, self.ended])
        pieces: list[Batch] = []
        for batch in self.learning.shuffled(self.learner.size, draw):
            if self.learner.fits(batch.n):
                pieces.append(self.augment(batch, draw, self.ended))
                if sum(piece.n for piece in pieces) >= self.step.batch:
                    self._learn(pieces)
                    pieces = []
        if pieces:
            self._learn(pieces)
        if not self.done:
            raise DataRefused("there are fewer samples than the model takes at once", fix="name a larger set")
        self.ended += 1
        self.now = self._look()
        if self.now is None or self.after is None or self.now.loss < self.after.loss:
            self.best = self.ended
            self._take_best()
        self._tell(ended=True)
        held = "" if self.now is None else f"; held out: {_figures(self.now.loss, self.now.accuracy)}"
        self.say.note(f"epoch {self.ended} of {self.step.epochs}: {_figures(_mean(self.losses), self._accuracy())}{held}")

    def _look(self) -> HeldOut | None:
        return None if self.held is None else look(self.learner, self.held, self.through)

    def _take_best(self) -> None:
        """The weights that are there are the best so far."""
        self.after = self.now
        if self.held is not None:
            self.best_tensors = {name: tensor.detach().clone() for name, tensor in self.learner.tensors.items()}

    def _learn(self, pieces: Sequence[Batch]) -> None:
        """One step of the optimizer, with the mean of what all samples of the pieces ask for."""
        count = sum(piece.n for piece in pieces)
        try:
            found: list[_Piece] = list(self.through(self._piece, pieces))
        except RuntimeError as error:
            if ran_out_of_memory(error):
                raise RunFailed("training ran out of memory", fix="give the step a smaller `batch`") from error
            raise
        with self.torch.no_grad():
            for parameter, gradients in zip(
                self.parameters, zip(*(piece.gradients for piece in found), strict=True), strict=True
            ):
                there = [gradient for gradient in gradients if gradient is not None]
                parameter.grad = reduce(self.torch.Tensor.add_, there[1:], there[0]).div_(count) if there else None
        self.torch.nn.utils.clip_grad_norm_(self.parameters, LONGEST)
        rate = self.step.learning_rate * 0.5 * (1 + math.cos(math.pi * min(self.updated / self.updates, 1)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        with self.torch.no_grad():
            self.learner.settle()
        self.updated += 1
        self.done += count
        self.losses.append(sum(piece.loss for piece in found) / count)
        right = [piece.right for piece in found if piece.right is not None]
        if right:
            self.shares.append(sum(right) / count)
        text = f"samples, epoch {self.ended + 1} of {self.step.epochs}, loss {_mean(self.losses):.3f}"
        self.say.progress(self.done, self.total, text)
        self._tell(ended=False)

    def _piece(self, batch: Batch) -> _Piece:
        """Gradients of one piece; nothing is changed."""
        marks = self.learner.mark(batch)
        loss = marks.losses.sum()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RunFailed(
                f"the loss became {value} after {self.done} samples of training",
                fix=f"lower the learning rate (learning_rate = {self.step.learning_rate / 10:g})",
            )
        gradients = self.torch.autograd.grad(loss, self.parameters, allow_unused=True)
        return _Piece(value, None if marks.right is None else float(marks.right.double().sum()), gradients)

    def _accuracy(self) -> float | None:
        return _mean(self.shares) if self.shares else None

    def _tell(self, *, ended: bool) -> None:
        self.say.learning(
            Learning(
                epoch=self.ended if ended else self.ended + 1,
                epochs=self.step.epochs,
                loss=_mean(self.losses),
                accuracy=self._accuracy(),
                held_loss=None if self.now is None else self.now.loss,
                held_accuracy=None if self.now is None else self.now.accuracy,
                best=self.best,
                ended=ended,
            )
        )

    def learnt(self) -> Learnt:
        """Put the best weights back; how it began and how it ended. What did not help is warned of."""
        with self.torch.no_grad():
            for name, tensor in self.best_tensors.items():
                self.learner.tensors[name].copy_(tensor)
        last = _mean(self.losses)
        found = Learnt(self.first, last, self.ended, self.best, len(self.learning), self.before, self.after)
        if last > _RISE * self.first:
            self.say.warn(
                f"the loss rose from {self.first:.3f} to {last:.3f} in training: lower the learning rate "
                f"(it is {self.step.learning_rate:g})"
            )
        if found.gain is not None and not found.gain.shown:
            self.say.warn(
                f"training shows no gain on the {len(found.after.losses) if found.after else 0} samples held out"
                + (": the weights stay as they were" if self.best == 0 else "")
            )
        return found

    # What goes on after a kill

    @property
    def _ident(self) -> str:
        """Which training this is: what is asked, of which tensors and samples."""
        tensors = [(name, list(tensor.shape), str(tensor.dtype)) for name, tensor in self.learner.tensors.items()]
        asked = [msgspec.to_builtins(self.step), tensors, self.learner.size, len(self.learning), self.learning.source]
        return hashlib.sha256(json.dumps(asked, default=str).encode()).hexdigest()

    def keep(self, file: Path) -> None:
        """Write all that the next epoch follows from."""
        state = self.optimizer.state_dict()["state"]
        arrays = {f"tensor.{place}": tensor for place, tensor in enumerate(self.learner.tensors.values())}
        arrays |= {f"best.{place}": tensor for place, tensor in enumerate(self.best_tensors.values())}
        arrays |= {f"state.{place}.{key}": value for place, entry in state.items() for key, value in entry.items()}
        numbers: dict[str, Any] = {name: getattr(self, name) for name in _COUNTS}
        looks = {}
        for name in _LOOKS:
            look = getattr(self, name)
            if look is not None:
                looks[f"{name}.losses"] = look.losses
                looks |= {} if look.right is None else {f"{name}.right": look.right}
        numbers |= {"losses": list(self.losses), "shares": list(self.shares)}
        write_checkpoint(
            file, self._ident, numbers, {**{name: value.detach().cpu().numpy() for name, value in arrays.items()}, **looks}
        )

    def take_up(self, file: Path) -> bool:
        """Go on from what was kept; False: nothing was, or not of this training."""
        found = read_checkpoint(file, self._ident, self.say)
        if found is None:
            return False
        numbers, arrays = found
        for name in _COUNTS:
            setattr(self, name, numbers[name])
        self.losses.extend(numbers["losses"])
        self.shares.extend(numbers["shares"])
        tensors = {name: self.torch.from_numpy(array) for name, array in arrays.items() if name.partition(".")[0] not in _LOOKS}
        with self.torch.no_grad():
            for place, (name, tensor) in enumerate(self.learner.tensors.items()):
                tensor.copy_(tensors[f"tensor.{place}"])
                if f"best.{place}" in tensors:
                    self.best_tensors[name] = tensors[f"best.{place}"].to(tensor.device)
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            kind, place_text, *key = name.split(".", 2)
            if kind == "state":
                state.setdefault(int(place_text), {})[key[0]] = value
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
        for name in _LOOKS:
            if f"{name}.losses" in arrays:
                right = arrays.get(f"{name}.right")
                losses = arrays[f"{name}.losses"].astype(np.float64)
                setattr(self, name, HeldOut(losses, None if right is None else right.astype(np.bool_)))
        self.say.note(f"taken up again after epoch {self.ended} of {self.step.epochs}")
        return True


_COUNTS = ("ended", "best", "updated", "done", "first")
_LOOKS = ("before", "now", "after")


def _mean(values: deque[float]) -> float:
    return sum(values) / max(len(values), 1)


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"


def _figures(loss: float, accuracy: float | None) -> str:
    return f"loss {loss:.3f}" + ("" if accuracy is None else f", accuracy {accuracy:.3f}")
