"""What the backend torch refuses, checked without PyTorch.

Apart because the rules are those of our own tables of operators, in `engine/network/`, which know PyTorch's names alone.
"""

from __future__ import annotations

from onnx import ModelProto, TensorProto

from .walk import ELSEWHERE, constants


def refusals(model: ModelProto) -> list[str]:
    """A sentence for each node that no table knows, and each stored tensor of a type that PyTorch lacks, with what mends it."""
    from ..network.module import inlined, unknown  # reads graphs through this room
    from ..network.stored import HELD

    model = inlined(model)
    without = f"export the model without it{ELSEWHERE}"
    found = [f"{name}: edgetui has no {kind} in PyTorch; {without}" for name, kind in unknown(model.graph.node)]
    for name, tensor in constants(model).items():
        if tensor.data_type not in HELD:
            kind = TensorProto.DataType.Name(tensor.data_type)
            found.append(f"tensor {name} holds {kind}, for which edgetui has nothing in PyTorch; {without}")
    return found
