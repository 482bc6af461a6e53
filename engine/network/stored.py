"""Stored tensors of an ONNX file as PyTorch's: the types that numpy or PyTorch lack are widened.

It is about types alone: 4-bit and unsigned 16-bit integers are held in wider ones, of the same values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from ..errors import ModelRefused
from ..graph.values import array_of
from .call import Hints

if TYPE_CHECKING:
    from torch import Tensor

_HELD_AS: dict[int, type[np.generic]] = {
    TensorProto.INT4: np.int8,
    TensorProto.UINT4: np.uint8,
    TensorProto.UINT16: np.int32,
    TensorProto.UINT32: np.int64,
}
_AS_THEY_ARE = frozenset(
    (
        TensorProto.FLOAT,
        TensorProto.DOUBLE,
        TensorProto.FLOAT16,
        TensorProto.INT8,
        TensorProto.UINT8,
        TensorProto.INT16,
        TensorProto.INT32,
        TensorProto.INT64,
        TensorProto.BOOL,
    )
)
HELD = _AS_THEY_ARE | {TensorProto.BFLOAT16, *_HELD_AS}
"""Element types that stored tensors may have."""


def as_tensor(name: str, stored: TensorProto, hints: Hints) -> Tensor:
    """The values of `stored`; a copy, for what numpy reads from a file's bytes may not be written to.

    Raises:
        ModelRefused: its type has no counterpart; `name` is told.
    """
    import torch

    kind = stored.data_type
    if kind == TensorProto.BFLOAT16:
        return torch.from_numpy(np.asarray(array_of(stored)).astype(np.float32)).to(torch.bfloat16)
    if kind not in HELD:
        raise ModelRefused(
            f"tensor {name} holds {TensorProto.DataType.Name(kind)}, which edgetui cannot do in PyTorch",
            fix=hints.unsupported,
        )
    array = np.array(array_of(stored))
    return torch.from_numpy(array.astype(_HELD_AS[kind]) if kind in _HELD_AS else array)
