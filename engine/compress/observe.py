"""Sessions that look at a model's tensors while it runs: two ends of each, or each as 16-bit codes, and the outputs.

Apart from the calibration because it is all that touches onnxruntime: a model goes in, arrays come out.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from ..errors import DataRefused, ModelRefused
from ..graph import load as files
from ..graph.walk import real_inputs

Array = NDArray[np.generic]
Feeds = Mapping[str, Array]

ZERO = 4096
"""The code of 0.0: most of the 65536 codes are above, for most tensors are outputs of a ReLU."""
HIGHEST = 65535
_LARGEST_IN_MEMORY = 1_500_000_000


class Ends:
    """Least and largest value of each tensor, and how many values it has."""

    def __init__(self, model: ModelProto, tensors: Sequence[str]) -> None:
        watching = _watching(model)
        for index, name in enumerate(tensors):
            for operator in ("ReduceMin", "ReduceMax"):
                _output(watching, helper.make_node(operator, [name], [f"{_MARK}{operator}{index}"], keepdims=0))
            _output(watching, helper.make_node("Size", [name], [f"{_MARK}Size{index}"]))
        self._session = _Session(watching)
        self._count = len(tensors)

    def run(self, feeds: Feeds) -> tuple[NDArray[np.float64], NDArray[np.int64], list[Array]]:
        """Ends of shape (tensors, 2), sizes of shape (tensors,), and the model's own outputs."""
        found = self._session.run(feeds)
        own = found[: len(found) - 3 * self._count]
        rows = np.array([float(value) for value in found[len(own) :]]).reshape(-1, 3)
        return rows[:, :2], rows[:, 2].astype(np.int64), own


class Codes:
    """Each tensor as uint16: round(value / step) + ZERO, what does not fit at either end of 0..HIGHEST."""

    def __init__(self, model: ModelProto, tensors: Sequence[str]) -> None:
        watching = _watching(model)
        watching.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        graph = watching.graph
        graph.initializer.append(helper.make_tensor(f"{_MARK}zero", TensorProto.UINT16, [], [ZERO]))
        for index, name in enumerate(tensors):
            graph.input.append(helper.make_tensor_value_info(f"{_MARK}step{index}", TensorProto.FLOAT, []))
            inputs = [name, f"{_MARK}step{index}", f"{_MARK}zero"]
            # The operator of ONNX itself takes 16 bits from opset 21 on; this one has no such wish.
            _output(watching, helper.make_node("QuantizeLinear", inputs, [f"{_MARK}code{index}"], domain="com.microsoft"))
        self._session = _Session(watching)
        self._count = len(tensors)

    def run(self, feeds: Feeds, steps: NDArray[np.float32]) -> tuple[list[NDArray[np.uint16]], list[Array]]:
        """The codes of each tensor, flat, and the model's own outputs."""
        more = {f"{_MARK}step{index}": np.asarray(step) for index, step in enumerate(steps)}
        found = self._session.run({**feeds, **more})
        own = len(found) - self._count
        return [codes.reshape(-1).view(np.uint16) for codes in found[own:]], found[:own]


class Values:
    """The tensors themselves: large, and only for finding out what went wrong."""

    def __init__(self, model: ModelProto, tensors: Sequence[str]) -> None:
        watching = _watching(model)
        for index, name in enumerate(tensors):
            _output(watching, helper.make_node("Identity", [name], [f"{_MARK}value{index}"]))
        self._session = _Session(watching)
        self._count = len(tensors)

    def run(self, feeds: Feeds) -> list[Array]:
        """Each tensor."""
        found = self._session.run(feeds)
        return found[len(found) - self._count :]


_MARK = "edgetui/"


class _Session:
    """An ONNX Runtime session on a model in memory, on every core we may use."""

    def __init__(self, model: ModelProto) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        options.log_severity_level = 4
        # Its arena grows by doubling and never shrinks: 205 MB where plain allocation needs 160, at the same speed.
        options.enable_cpu_mem_arena = False
        try:
            if model.ByteSize() < _LARGEST_IN_MEMORY:
                self._session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            else:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "model.onnx"
                    files.save(model, path)
                    self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime's exceptions share no base class of its own.
            raise ModelRefused(
                f"ONNX Runtime cannot load the model for calibration ({_first_line(error)})",
                fix="`edgetui inspect` says what it refuses; fix the export",
            ) from error

    def run(self, feeds: Feeds) -> list[Array]:
        try:
            found: list[Array] = self._session.run(None, dict(feeds))
        except Exception as error:
            raise DataRefused(
                f"ONNX Runtime cannot run the model on a calibration sample ({_first_line(error)})",
                fix="make the dataset's input settings fit the model's inputs, which `edgetui inspect` shows",
            ) from error
        return found


def batched(model: ModelProto) -> ModelProto | None:
    """The model with a free first axis on every input, if each has one of length 1 (or free already); else None."""
    names = set(real_inputs(model.graph))
    free = ModelProto()
    free.CopyFrom(model)
    for value in free.graph.input:
        if value.name not in names:
            continue
        axes = value.type.tensor_type.shape.dim
        if not axes or (axes[0].HasField("dim_value") and axes[0].dim_value != 1):
            return None
        axes[0].dim_param = "edgetui_batch"
    for value in free.graph.output:
        value.type.tensor_type.ClearField("shape")
    del free.graph.value_info[:]
    return free


def _watching(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def _output(model: ModelProto, node: object) -> None:
    model.graph.node.append(node)
    model.graph.output.append(ValueInfoProto(name=model.graph.node[-1].output[0]))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
