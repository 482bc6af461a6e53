"""An ONNX graph as a torch.nn.Module: its nodes are executed one after another, its weights are parameters.

Apart from who uses it because it stands for the model alone: what goes in and comes out is what ONNX Runtime gives.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from onnx import ModelProto, NodeProto, inliner

from ..errors import EdgetuiError, ModelRefused, RunFailed, first_line
from ..graph.walk import constants, is_onnx, label, opset, real_inputs
from . import ops_layers, ops_math, ops_quantize, ops_recurrent, ops_resize, ops_shape
from .call import BatchSize, Call, Hints, Numbers, Table, ran_out_of_memory
from .stored import as_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

    Values = dict[str, Tensor | Numbers]

OPERATORS: Table = {
    **ops_math.TABLE,
    **ops_layers.TABLE,
    **ops_quantize.TABLE,
    **ops_recurrent.TABLE,
    **ops_shape.TABLE,
    **ops_resize.TABLE,
}


def inlined(model: ModelProto) -> ModelProto:
    """The model without functions of its own: their nodes stand where they were called."""
    return inliner.inline_local_functions(model) if model.functions else model


def unknown(nodes: Iterable[NodeProto]) -> list[tuple[str, str]]:
    """(node, operator) of all that cannot be executed here."""
    return [
        (label(node), node.op_type if is_onnx(node) else f"{node.domain}.{node.op_type}")
        for node in nodes
        if not is_onnx(node) or node.op_type not in OPERATORS
    ]


class Program:
    """The nodes of a graph in order, and what may be forgotten after each."""

    def __init__(self, model: ModelProto, declared_batch: int, hints: Hints) -> None:
        """`declared_batch`: samples in one inference as the graph is written, axis 0 of its first input.

        Raises:
            ModelRefused: an operator is not known; the first such node is named.
        """
        held = constants(model)
        nodes = [node for node in model.graph.node if not (node.op_type == "Constant" and node.output[0] in held)]
        for name, kind in unknown(nodes):
            raise ModelRefused(
                f"node {name} is of operator {kind}, which edgetui cannot do in PyTorch",
                fix=hints.unsupported,
                node=name,
            )
        self.inputs = real_inputs(model.graph)
        self.outputs = [value.name for value in model.graph.output]
        self.batch = BatchSize(declared_batch, declared_batch)
        alone = BatchSize(
            declared_batch, declared_batch
        )  # of what comes from constants only, where a shape never means samples
        fed = set(self.inputs)
        self.calls: list[Call] = []
        for node in nodes:
            fed.update(node.output if fed & set(node.input) else ())
            batch = self.batch if fed & set(node.input) else alone
            kinds = [held[name].data_type if name in held else 0 for name in node.input]
            self.calls.append(Call(node, OPERATORS[node.op_type], opset(model), batch, kinds, hints))
        self.watch: frozenset[str] = frozenset()
        """Tensors inside that are wanted besides the outputs."""
        self._seen = threading.local()
        self.forget(held)

    @property
    def watched(self) -> dict[str, Tensor]:
        """Those of this thread's last run."""
        found: dict[str, Tensor] = self._seen.values
        return found

    def forget(self, held: Collection[str]) -> None:
        """Settle after which call each value is dropped: after its last use, unless it is an output or one of `held`."""
        last = {name: place for place, call in enumerate(self.calls) for name in call.inputs}
        self._done: list[list[str]] = [[] for _ in self.calls]
        for name, place in last.items():
            if name and name not in self.outputs and name not in held:
                self._done[place].append(name)

    def run(self, values: Values) -> dict[str, Tensor]:
        """Execute on `values` (constants and inputs by name; it is filled and emptied on the way); returns the outputs.

        Raises:
            ModelRefused: a node cannot be executed with these shapes.
            RunFailed: there is not memory enough.
        """
        first = values[self.inputs[0]] if self.inputs else None
        self.batch.now = 1 if first is None or isinstance(first, Numbers) or not first.dim() else first.shape[0]
        watched: dict[str, Tensor] = {}
        for call, done in zip(self.calls, self._done, strict=True):
            self.do(call, values)
            if self.watch:
                watched |= {name: cast("Tensor", values[name]) for name in self.watch.intersection(call.outputs)}
            for name in done:
                values.pop(name, None)
        self._seen.values = watched
        return {name: cast("Tensor", values[name]) for name in self.outputs}

    def do(self, call: Call, values: Values) -> None:
        """Execute one node; what it makes is put into `values`.

        Raises:
            ModelRefused, RunFailed: see `run`.
        """
        try:
            made = call.operator(call, *[values[name] if name else None for name in call.inputs])
        except EdgetuiError:
            raise
        except Exception as error:
            # PyTorch raises RuntimeError, IndexError, TypeError and others for shapes that do not fit.
            raise failed(call, error) from error
        values.update(zip(call.outputs, made if isinstance(made, tuple) else (made,), strict=False))


def failed(call: Call, error: Exception) -> EdgetuiError:
    """What PyTorch raised for a node, in words."""
    text = first_line(error)
    if ran_out_of_memory(error):
        return RunFailed(f"memory ran out in PyTorch at node {call.label}", fix=call.hints.out_of_memory)
    return ModelRefused(
        f"node {call.label} ({call.kind}) cannot be executed in PyTorch ({text})",
        fix=call.hints.unsupported,
        node=call.label,
    )


class Network(Protocol):
    """What `as_module` makes: a torch.nn.Module that holds these as well."""

    program: Program
    trained: dict[str, nn.Parameter]
    """Parameters by the names of the stored tensors."""
    constants: Values
    """All other stored tensors."""

    def __call__(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name, of feeds by name."""


def as_module(model: ModelProto, trained: Collection[str], declared_batch: int, hints: Hints) -> Network:
    """The model as a module: `module(feeds)` takes a mapping of input names to tensors and gives one of output names.

    `trained` names the initializers (or outputs of Constant nodes) that become parameters, in `module.trained` by name; all
    others are constants. The batch along axis 0 may be another than the graph was written for, `declared_batch`, as far as
    the graph allows it.

    Raises:
        ModelRefused: an operator or the type of a stored tensor is not known.
    """
    import torch

    model = inlined(model)
    program = Program(model, declared_batch, hints)

    # Its functions close over nothing: a class waits for the garbage collector, and the file's weights would with it.
    class Module(torch.nn.Module):
        def __init__(self, program: Program, values: dict[str, Tensor], trained: Collection[str]) -> None:
            super().__init__()
            self.program = program
            self.trained: dict[str, Any] = {}
            self.constants: dict[str, Any] = {}
            for name, value in values.items():
                if name in trained:
                    self.trained[name] = torch.nn.Parameter(value)
                    self.register_parameter(f"p{len(self.trained)}", self.trained[name])
                else:
                    self.constants[name] = value

        def forward(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return self.program.run({**self.constants, **self.trained, **feeds})

    values = {name: as_tensor(name, tensor, hints) for name, tensor in constants(model).items()}
    made: Network = Module(program, values, trained)
    return made
