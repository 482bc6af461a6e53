"""What the loop trains and what for, in its own words: tensors, and marks for a batch of samples.

Apart from the loop because every step that trains says this in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...data.samples import Batch

if TYPE_CHECKING:
    from torch import Tensor


class Marks(NamedTuple):
    """How well each sample of a batch is done."""

    losses: Tensor
    """Shape (n,), with gradients."""
    right: Tensor | None = None
    """Shape (n,), whether the class is right; None: nobody says."""


def nothing() -> None:
    """Put nothing right."""


@dataclass(frozen=True)
class Learner:
    """What is trained, and what for."""

    tensors: Mapping[str, Tensor]
    """By name. Those with gradients are trained; others are only kept and taken back, with the weights that they go with."""
    mark: Callable[[Batch], Marks]
    """What a batch is worth. Several threads ask at once, each for another."""
    size: int
    """Samples that go through it at once; gradients are summed up to the step's `batch`."""
    any_size: bool = True
    """Fewer can go through as well; False: such a last batch is left out."""
    settle: Callable[[], None] = nothing
    """Puts right after each step of the optimizer what must not change."""

    def fits(self, n: int) -> bool:
        """Whether so many samples can go through it at once."""
        return self.any_size or n == self.size

    def marks_alone(self, batch: Batch) -> Marks:
        """What a batch is worth, without gradients."""
        import torch

        with torch.no_grad():
            return self.mark(batch)
