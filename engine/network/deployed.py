"""A graph as it is deployed in PyTorch: settled for its shapes, on its device, tensors in and tensors out.

Apart from the module that is trained because nothing changes here any more: no gradients, no other batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from onnx import ModelProto

from .call import Hints, Numbers
from .fix_shapes import fix_shapes
from .module import as_module

if TYPE_CHECKING:
    from torch import Tensor

    from .module import Program, Values


class Deployed(Protocol):
    """A torch.nn.Module with the graph's own inputs and outputs, which its type does not say."""

    nodes: int
    """How many are left to be executed for each sample."""

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Outputs in the order of the file, of inputs in the order of the file."""


def deployed(model: ModelProto, example: Mapping[str, Tensor], device: str, hints: Hints) -> Deployed:
    """The model as a module on `device`. `example`: inputs by name in the order of the file, with the shapes that stay.

    Raises:
        ModelRefused: a node cannot be executed; it is named.
        RunFailed: memory ran out.
    """
    import torch

    network = as_module(model, (), 1, hints)
    fix_shapes(network, example)
    names, program = list(example), network.program
    held: Values = {
        name: value if isinstance(value, Numbers) else value.to(device) for name, value in network.constants.items()
    }

    # A class refers to itself: what its functions close over waits for the garbage collector. The weights are the instance's.
    class DeployedModule(torch.nn.Module):
        def __init__(self, names: list[str], program: Program, held: Values) -> None:
            super().__init__()
            self.nodes = len(program.calls)
            self.names, self.program, self.held = names, program, held

        def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
            return tuple(self.program.run({**self.held, **dict(zip(self.names, given, strict=True))}).values())

    made: Deployed = DeployedModule(names, program, held).eval()
    return made
