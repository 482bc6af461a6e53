"""What a student looks at, held against what its teacher looks at: attention maps of tensors inside that both have.

Zagoruyko and Komodakis 2017, Paying More Attention to Attention, equation 2 with squared norms: a map is the mean of squares
over channels, at unit length, so that a student with fewer channels needs no layer besides. Tensors are those of the same name,
which a student made of its teacher has; one of each size of image is looked at, the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ...data.samples import Batch
from ...errors import RecipeRefused
from .learner import Marks
from .prepared import Prepared

if TYPE_CHECKING:
    from torch import Tensor

_IMAGE = 4
"""Axes of a tensor with channels and places."""


class WithFeatures:
    """The marks that another gives, and `weight` times the distance of the attention maps."""

    def __init__(self, mark: Callable[[Batch], Marks], student: Prepared, teacher: Prepared, weight: float) -> None:
        """Raises RecipeRefused where both have no tensor of one name and size."""
        self._mark, self._weight = mark, weight
        self._programs = student.module.program, teacher.module.program
        self.names = _shared(student, teacher)
        if not self.names:
            raise RecipeRefused(
                "no tensor inside the student has a name and a size of its teacher's: `features` has nothing to compare",
                fix="leave `features` out, or name the layers of the student's file as its teacher's",
            )
        for program in self._programs:
            program.watch |= frozenset(self.names)

    def __call__(self, batch: Batch) -> Marks:
        """Marks for a batch."""
        marks = self._mark(batch)
        ours, theirs = (program.watched for program in self._programs)
        parts = [((attention(ours[name]) - attention(theirs[name])) ** 2).sum(dim=1) for name in self.names]
        return marks._replace(losses=marks.losses + self._weight * sum(parts) / len(parts))


def attention(tensor: Tensor) -> Tensor:
    """Of (n, channels, height, width) the mean of squares over channels, at unit length: (n, height * width)."""
    import torch

    flat = tensor.pow(2).mean(dim=1).reshape(tensor.shape[0], -1)
    made: Tensor = torch.nn.functional.normalize(flat, dim=1)
    return made


def _shared(student: Prepared, teacher: Prepared) -> tuple[str, ...]:
    """Tensors that both have, one for each size of image: the last."""
    shapes = [_sizes(ready) for ready in (student, teacher)]
    last = {size: name for name, size in shapes[1].items() if shapes[0].get(name) == size}
    return tuple(last.values())


def _sizes(ready: Prepared) -> Mapping[str, tuple[int, ...]]:
    """Height and width of every tensor inside that has them, more than one place each."""
    import torch

    program = ready.module.program
    watched = program.watch
    program.watch = frozenset(name for call in program.calls for name in call.outputs) - {"", *program.outputs}
    with torch.no_grad():
        ready.run({name: array[: ready.rows] for name, array in ready.feeds.items()})
    found = {
        name: tuple(value.shape[2:])
        for name, value in program.watched.items()
        if value.dim() == _IMAGE and value.is_floating_point() and value.shape[2] * value.shape[3] > 1
    }
    program.watch = watched
    return found
