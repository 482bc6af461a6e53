"""Sessions that look at a model's tensors while it runs: two ends of each, or each as 16-bit codes, and the outputs.

Apart from the calibration because it is all that touches onnxruntime: a model goes in, arrays come out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from ..errors import DataRefused, ModelRefused, first_line
from ..graph import load as files
from ..graph.computable_part import leading_to
from ..graph.external import LARGEST_IN_MEMORY, size_of
from ..graph.names import Names
from ..graph.walk import nodes, opset, real_inputs
from ..graph.write import FOLDER_OPTION, for_session
from ..system.cpu import logical_cores

Array = NDArray[np.generic]
Feeds = Mapping[str, Array]
Form = tuple[bytes, Path | None]
"""A model as `graph.write.for_session` makes it."""

ZERO = 4096
"""The code of 0.0: most of the 65536 codes are above, for most tensors are outputs of a ReLU."""
HIGHEST = 65535


@dataclass(frozen=True)
class ModelOnDisk:
    """The model's file. It is read again for every session, so that only ONNX Runtime's copy stays in memory."""

    path: Path
    batched: bool = False
    """Take any number of samples along the first axis, whatever the file says."""

    @cached_property
    def mark(self) -> str:
        """How the names of what is added begin, and no name of the model."""
        return Names(files.parse(self.path)).prefix("edgetui/")

    def watching(self, nodes: Sequence[NodeProto], inputs: Sequence[str] = (), constants: Sequence[TensorProto] = ()) -> Form:
        """The model, for a session, with further nodes whose outputs are outputs, and further scalar inputs and constants.

        Outputs of its own that are texts or no tensors are left out.

        Raises:
            ModelRefused: the model is too large to be passed on in memory.
        """
        model = files.load(self.path)
        if size_of(model) > LARGEST_IN_MEMORY:
            raise ModelRefused(
                f"{self.path.name} is too large to be calibrated in memory ({size_of(model) / 1e9:.1f} GB)",
                fix="use `quantize.weights`, which needs no calibration",
            )
        if self.batched:
            _free_batch(model)
        graph = model.graph
        kept = [value for value in graph.output if _holds_numbers(value)]
        del graph.output[:]
        graph.output.extend(kept)
        graph.node.extend(nodes)
        graph.initializer.extend(constants)
        graph.input.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in inputs)
        graph.output.extend(ValueInfoProto(name=name) for node in nodes for name in node.output)
        if any(node.domain == _MICROSOFT for node in nodes) and not opset(model, _MICROSOFT):
            model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
        return for_session(model)


_ACROSS = frozenset(("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"))
"""Operators with one range for all that they are given."""


def mixes(model: ModelProto) -> bool:
    """Whether ranges are found over a whole batch: what a sample gives depends, a little, on those beside it."""
    return any(node.op_type in _ACROSS for node in nodes(model))


def batchable(path: Path) -> ModelOnDisk | None:
    """The model with a free first axis on every input, if each has one of length 1 (or free already); else None, and where
    samples mix.
    """
    model = files.parse(path)
    if mixes(model):
        return None
    names = set(real_inputs(model.graph))
    for value in model.graph.input:
        axes = value.type.tensor_type.shape.dim
        if value.name in names and (not axes or (axes[0].HasField("dim_value") and axes[0].dim_value != 1)):
            return None
    return ModelOnDisk(path, batched=True)


def _holds_numbers(value: ValueInfoProto) -> bool:
    kind = value.type.WhichOneof("value")
    return kind is None or (kind == "tensor_type" and value.type.tensor_type.elem_type != TensorProto.STRING)


def _free_batch(model: ModelProto) -> None:
    names, axis = set(real_inputs(model.graph)), Names(model).free("edgetui_batch")
    for value in model.graph.input:
        if value.name in names and value.type.tensor_type.shape.dim[0].WhichOneof("value"):  # else nobody said what it is
            value.type.tensor_type.shape.dim[0].dim_param = axis
    for value in filter(_holds_numbers, model.graph.output):
        if value.type.HasField("tensor_type"):  # what is no output of the model itself has no type in the file
            value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


class Ends:
    """Least and largest value of each tensor, and how many values it has."""

    def __init__(self, source: ModelOnDisk, tensors: Sequence[str]) -> None:
        nodes = []
        for index, name in enumerate(tensors):
            nodes += [
                helper.make_node(operator, [name], [f"{source.mark}{operator}{index}"], keepdims=0)
                for operator in ("ReduceMin", "ReduceMax")
            ]
            nodes.append(helper.make_node("Size", [name], [f"{source.mark}Size{index}"]))
        self._session = _Session(source.watching(nodes))
        self._count = len(tensors)

    def run(self, feeds: Feeds) -> tuple[NDArray[np.float64], NDArray[np.int64], list[Array]]:
        """Ends of shape (tensors, 2), sizes of shape (tensors,), and the model's own outputs."""
        found = self._session.run(feeds)
        own = found[: len(found) - 3 * self._count]
        rows = np.array([float(value) for value in found[len(own) :]]).reshape(-1, 3)
        return rows[:, :2], rows[:, 2].astype(np.int64), own


class Codes:
    """Each tensor as uint16: round(value / step) + ZERO, what does not fit at either end of 0..HIGHEST."""

    def __init__(self, source: ModelOnDisk, tensors: Sequence[str]) -> None:
        zero = helper.make_tensor(f"{source.mark}zero", TensorProto.UINT16, [], [ZERO])
        self._steps = [f"{source.mark}step{index}" for index in range(len(tensors))]
        # The operator of ONNX itself takes 16 bits from opset 21 on; ONNX Runtime's own has no such wish.
        nodes = [
            helper.make_node("QuantizeLinear", [name, step, zero.name], [f"{source.mark}code{index}"], domain=_MICROSOFT)
            for index, (name, step) in enumerate(zip(tensors, self._steps, strict=True))
        ]
        self._session = _Session(source.watching(nodes, self._steps, [zero]))

    def run(self, feeds: Feeds, steps: NDArray[np.float32]) -> tuple[list[NDArray[np.uint16]], list[Array]]:
        """The codes of each tensor, flat, and the model's own outputs."""
        found = self._session.run({**feeds, **{name: np.asarray(step) for name, step in zip(self._steps, steps, strict=True)}})
        own = len(found) - len(self._steps)
        return [codes.reshape(-1).view(np.uint16) for codes in found[own:]], found[:own]


class Values:
    """The tensors themselves: large, and only for finding out what went wrong."""

    def __init__(self, source: ModelOnDisk, tensors: Sequence[str], pairs: Mapping[str, NodeProto] | None = None) -> None:
        """`pairs`: the QuantizeLinear behind a tensor; such a tensor is what its integers say."""
        pairs = pairs or {}
        nodes = [_value(name, f"{source.mark}value{index}", pairs.get(name)) for index, name in enumerate(tensors)]
        self._session = _Session(source.watching(nodes))
        self._count = len(tensors)

    def run(self, feeds: Feeds) -> list[Array]:
        """Each tensor."""
        found = self._session.run(feeds)
        return found[len(found) - self._count :]


class Inner:
    """Tensors of a model in memory; no more of it is computed than they need."""

    def __init__(
        self,
        model: ModelProto,
        tensors: Sequence[str],
        *,
        batched: bool = False,
        lean: bool = True,
        known: Sequence[ValueInfoProto] = (),
    ) -> None:
        """`tensors`: inputs of the model, or what nodes of its main graph make; `batched`: as of `ModelOnDisk`; `lean`: compute
        with weights where they lie, slower than with a copy of them; `known`: tensors that are given beside the inputs.

        Raises:
            ModelRefused: ONNX Runtime cannot load the model.
        """
        self._given = {*real_inputs(model.graph), *(value.name for value in known)}.intersection(tensors)
        self._tensors = list(tensors)
        self._made = [name for name in tensors if name not in self._given]
        self._session = None
        if self._made:
            part = leading_to(model, self._made, known)
            self._fed = real_inputs(part.graph)
            if batched:
                _free_batch(part)
            self._session = _Session(for_session(part), lean=lean)

    def run(self, feeds: Feeds) -> list[Array]:
        """Each tensor, in order."""
        found = {}
        if self._session:
            given = {name: feeds[name] for name in self._fed}
            found = dict(zip(self._made, self._session.run(given), strict=True))
        return [feeds[name] if name in self._given else found[name] for name in self._tensors]


_MICROSOFT = "com.microsoft"


def _value(name: str, output: str, pair: NodeProto | None) -> NodeProto:
    if pair is None:
        return helper.make_node("Identity", [name], [output])
    read = helper.make_node("DequantizeLinear", [pair.output[0], *pair.input[1:]], [output])
    read.attribute.extend(entry for entry in pair.attribute if entry.name in ("axis", "block_size"))
    return read


class _Session:
    """An ONNX Runtime session on every core we may use."""

    def __init__(self, form: Form, *, lean: bool = False) -> None:
        """`lean`: compute with weights where they lie, in no other layout: slower, and without a copy of them."""
        import onnxruntime as ort

        model, folder = form
        options = ort.SessionOptions()
        if folder is not None:
            options.add_session_config_entry(FOLDER_OPTION, str(folder))
        options.intra_op_num_threads = logical_cores()
        options.log_severity_level = 4
        if lean:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
            options.add_session_config_entry("session.disable_prepacking", "1")
        # Its arena grows by doubling and never shrinks: 205 MB where plain allocation needs 160, at the same speed.
        options.enable_cpu_mem_arena = False
        # Its threads would spin between batches, on the core that reads and counts.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Its optimizer infers shapes once more, and may give up in a branch that is never taken.
        for level in (options.graph_optimization_level, ort.GraphOptimizationLevel.ORT_DISABLE_ALL):
            options.graph_optimization_level = level
            try:
                self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # onnxruntime's exceptions share no base class of its own
                refused = error
            else:
                return
        raise ModelRefused(
            f"ONNX Runtime cannot load the model for calibration ({first_line(refused)})",
            fix="use `quantize.weights`, which needs no calibration, or export the model again",
        ) from refused

    def run(self, feeds: Feeds) -> list[Array]:
        try:
            found: list[Array] = self._session.run(None, dict(feeds))
        except Exception as error:
            raise DataRefused(
                f"ONNX Runtime cannot run the model on a calibration sample ({first_line(error)})",
                fix="make the dataset's input settings fit the model's inputs, which `edgetui inspect` shows",
            ) from error
        return found
