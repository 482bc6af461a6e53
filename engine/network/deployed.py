"""A graph as it is deployed in PyTorch: settled for its shapes, on its device, tensors in and tensors out.

Apart from the module that is trained because nothing changes here any more: no gradients, no other batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from onnx import ModelProto

from .call import Numbers, WayOut
from .module import as_module
from .settle import settle

if TYPE_CHECKING:
    from torch import Tensor

    from .module import Values


class Deployed(Protocol):
    """A torch.nn.Module."""

    nodes: int
    """How many are left to be executed for each sample."""

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Outputs in the order of the file, of inputs in the order of the file."""


def deployed(model: ModelProto, example: Mapping[str, Tensor], device: str, way_out: WayOut) -> Deployed:
    """The model as a module on `device`. `example`: inputs by name in the order of the file, with the shapes that stay.

    Raises:
        ModelRefused: a node cannot be executed; it is named.
        RunFailed: memory ran out.
    """
    import torch

    network = as_module(model, (), 1, way_out)
    settle(network, example)
    names, program = list(example), network.program
    held: Values = {
        name: value if isinstance(value, Numbers) else value.to(device) for name, value in network.constants.items()
    }

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nodes = len(program.calls)

        def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
            return tuple(program.run({**held, **dict(zip(names, given, strict=True))}).values())

    made: Deployed = Module().eval()
    return made
