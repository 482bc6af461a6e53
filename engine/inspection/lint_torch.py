"""What the backend torch refuses, checked without PyTorch.

The rules are those of our own tables of operators, in `engine/network/`, which know PyTorch's names alone.
"""

from __future__ import annotations

from onnx import ModelProto, TensorProto

from ..errors import ELSEWHERE, Refusal
from ..graph.walk import constants
from ..graph.wiring import no_tensors


def refusals(model: ModelProto) -> list[Refusal]:
    """Each node that no table knows, and each stored tensor of a type that PyTorch lacks, with what mends it."""
    from ..network.module import inlined, unknown  # reads graphs through this room
    from ..network.stored import HELD

    found = no_tensors(model)
    model = inlined(model)
    without = ("export the model without it", ELSEWHERE)
    found += [Refusal.of(f"edgetui has no {kind} in PyTorch", *without).at(name) for name, kind in unknown(model.graph.node)]
    for name, tensor in constants(model).items():
        if tensor.data_type not in HELD:
            kind = TensorProto.DataType.Name(tensor.data_type)
            found.append(Refusal.of(f"tensor {name} holds {kind}, for which edgetui has nothing in PyTorch", *without))
    return found
