"""Types and shapes of TensorRT's tensors in our words: asked by whoever builds a plan and by whoever runs one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorrt


def type_word(kind: tensorrt.DataType) -> str:
    """TensorRT's `FLOAT` as ONNX's word `float`."""
    word = str(kind.name).lower()
    return {"half": "float16", "bf16": "bfloat16"}.get(word, word)


def sizes(shape: tensorrt.Dims) -> tuple[int, ...]:
    """TensorRT's dimensions as a tuple; -1 is an axis without a size."""
    return tuple(shape[place] for place in range(len(shape)))
