"""A model made ready to be trained: a module that gives what the model gives, on its device, and how many samples it takes.

Apart from the steps because all that train begin so.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ...data.samples import Batch, Samples
from ...errors import DataRefused, RecipeRefused, RunFailed, first_line
from ...graph.load import save_apart
from ...graph.shapes import declared
from ...graph.walk import real_inputs
from ...network.call import Hints
from ...network.module import Network, as_module
from ...schema.steps import Training
from ...system.cpu import logical_cores
from ...system.reporter import Reporter
from . import same_results
from .device import feeds_on, to_gpu
from .learner import Learner, Marks, nothing
from .pieces import piece_of
from .trainable import Trainable, nonzero, trainable, write

if TYPE_CHECKING:
    from torch import Tensor

HINTS = Hints(
    "leave the `train.` steps out of the recipe, or export the model without it",
    out_of_memory="give the step a smaller `batch`",
)


@dataclass(frozen=True)
class Prepared:
    """A model, and the module that is trained in its stead."""

    model: ModelProto
    trainable: Trainable
    module: Network
    rows: int
    """Samples in one inference, as the graph is written."""
    size: int
    """Samples that go through the module at once: a piece of a batch."""
    any_size: bool
    """It takes any number of them."""
    feeds: dict[str, NDArray[np.generic]]
    """Of the first 2 * `rows` samples."""
    device: str
    """`cpu`, or `cuda`."""

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, Tensor]:
        """Outputs by name for a batch of feeds."""
        return self.module(feeds_on(self.device, feeds))

    def learner(self, mark: Callable[[Batch], Marks], settle: Callable[[], None] = nothing) -> Learner:
        """What the loop is given: all that the module has to train, for these marks."""
        return Learner(self.module.trained, mark, self.size, self.any_size, settle)


def begin_torch(seed: int) -> ModuleType:
    """PyTorch, on as many threads as this process may use, or as OMP_NUM_THREADS says, its random numbers begun at `seed`.

    Raises:
        RecipeRefused: it is not here, or cannot be loaded.
    """
    # Threads that spin while they wait take the cores from all else: 1000 images took 15 s beside two busy processes, 13 s so.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else a GPU adds in another order each time
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        raise RecipeRefused(
            f"PyTorch cannot be loaded ({first_line(error)})",
            fix="pip install 'edgetui[train]'",
        ) from error
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(logical_cores())
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True
    return torch


def prepared(model: ModelProto, step: Training, samples: Samples, say: Reporter) -> Prepared:
    """The model as a module that was held against it on the first samples, on the GPU where there is one that can do it.

    Raises:
        RecipeRefused: there is nothing to train.
        DataRefused: there are too few samples, or they do not fit.
        ModelRefused: the model cannot be executed in PyTorch (the node is named), or gives other results there.
    """
    found = trainable(model)
    rows = rows_of(model)
    module = as_module(model, found.names, rows, HINTS)
    feeds = first_feeds(samples, 2 * rows)
    free = same_results.batch_is_free(module, model, feeds, rows)
    if not free and step.batch > rows:
        say.note(
            f"the graph is written for {rows} sample{'s' if rows > 1 else ''} at a time: gradients are summed over {step.batch}"
        )
    device = to_gpu(module, feeds, rows, say)
    return Prepared(model, found, module, rows, samples_at_once(step, rows, free, device), free, feeds, device)


def samples_at_once(step: Training, rows: int, free: bool, device: str) -> int:
    """How many go through a module at once, whose graph is for `rows`; `free`: it takes any number."""
    if not free:
        return rows
    return piece_of(step.batch) if device == "cpu" else step.batch


def zeros_kept(ready: Prepared) -> Callable[[], None]:
    """What puts the weights that are zero now, among those that pruning acts on, back to zero."""
    import torch

    there = nonzero(ready.model, ready.trainable.prunable)
    gone = {name: torch.from_numpy(~places).to(ready.device) for name, places in there.items()}

    def settle() -> None:
        for name, places in gone.items():
            ready.module.trained[name].masked_fill_(places, 0)

    return settle


def rows_of(model: ModelProto) -> int:
    """Samples in one inference, as the graph is written: axis 0 of its first input."""
    first = real_inputs(model.graph)[0]
    shape = next(declared(value) for value in model.graph.input if value.name == first) or (1,)
    return shape[0] if shape and isinstance(shape[0], int) else 1


def first_feeds(samples: Samples, count: int) -> dict[str, NDArray[np.generic]]:
    """Feeds of the first samples, `count` of them.

    Raises:
        DataRefused: there are fewer.
    """
    parts, found = [], 0
    for batch in samples.take(count).batches(count):
        parts.append(batch.feeds)
        found += batch.n
    if found < count:
        raise DataRefused(f"{samples.source} has {found} samples, too few to train with", fix="name a larger set")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def save_trained(ready: Prepared, out: Path, step: Training) -> None:
    """Write the model with the values that its module has now to `out`.

    Raises:
        RunFailed: one is NaN or infinite.
        StorageRefused: `out` cannot be written.
    """
    take_trained(ready, step)
    save_apart(ready.model, out)


def take_trained(ready: Prepared, step: Training) -> None:
    """Put the values that the module has now into the model.

    Raises:
        RunFailed: one is NaN or infinite.
    """
    write(ready.model, trained_values(ready, step))


def trained_values(ready: Prepared, step: Training) -> dict[str, NDArray[np.generic]]:
    """What the module has learnt, by name.

    Raises:
        RunFailed: one is NaN or infinite.
    """
    values = {name: value.detach().cpu().numpy() for name, value in ready.module.trained.items()}
    for name, array in values.items():
        if not np.isfinite(array).all():
            raise RunFailed(
                f"weight {name} became NaN or infinite in training",
                fix=f"lower the learning rate (learning_rate = {step.learning_rate / 10:g})",
            )
    return values
