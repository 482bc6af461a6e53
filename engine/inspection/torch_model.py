"""A model that is a PyTorch module, written as the ONNX file that all else works on."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from onnx import TensorProto, helper

from ..network.to_onnx import to_onnx
from ..schema.model_facts import TensorFacts
from ..schema.module_sources import ModelFactory


def export(program: str, made: ModelFactory | None, out: Path) -> None:
    """Write the export of what a factory makes, or of a `.pt2` file where there is none, to `out`, whole or not at all.

    Raises:
        ModelRefused: as `to_onnx`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    inputs: list[TensorFacts] = []
    if made is not None:
        inputs = [
            TensorFacts(name=name, dtype=_word(made.types.get(name, "float32")), shape=shape)
            for name, shape in made.inputs.items()
        ]
    with TemporaryDirectory(dir=out.parent) as folder:
        file = Path(folder) / out.name
        source, weights, outputs = (made.make, made.weights, made.outputs) if made else (program, "", ())
        to_onnx(source, weights, inputs, outputs, file)
        file.replace(out)


def _word(dtype: str) -> str:
    """ONNX's word in lower case for numpy's."""
    return str(TensorProto.DataType.Name(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))).lower()
