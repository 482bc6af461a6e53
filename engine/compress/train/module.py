"""An ONNX graph as a torch.nn.Module: its nodes are executed one after another, its weights are parameters.

Apart from training because it stands for the model alone: what goes in and comes out is what ONNX Runtime gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from onnx import ModelProto, NodeProto, numpy_helper

from ...errors import EdgetuiError, ModelRefused, RecipeRefused, RunFailed
from ...graph.walk import constants, is_onnx, label, opset, real_inputs
from . import ops_layers, ops_math, ops_resize, ops_shape
from .call import Call, Rows, Table

if TYPE_CHECKING:
    from torch import Tensor, nn

OPERATORS: Table = {**ops_math.TABLE, **ops_layers.TABLE, **ops_shape.TABLE, **ops_resize.TABLE}


def refuse_unknown(nodes: Iterable[NodeProto]) -> None:
    """Refuse a graph that cannot be executed here, before anything is done with it.

    Raises:
        RecipeRefused: an operator is not known; the first such node is named.
    """
    for node in nodes:
        if not is_onnx(node) or node.op_type not in OPERATORS:
            kind = node.op_type if is_onnx(node) else f"{node.domain}.{node.op_type}"
            raise RecipeRefused(
                f"node {label(node)} is of operator {kind}, which cannot be trained here",
                fix="leave the `train.` steps out of the recipe, or export the model without it",
            )


class Program:
    """The nodes of a graph in order, and what may be forgotten after each."""

    def __init__(self, model: ModelProto, declared_rows: int) -> None:
        """`declared_rows`: samples in one inference as the graph is written, axis 0 of its first input.

        Raises:
            RecipeRefused: an operator is not known.
        """
        import torch

        held = constants(model)
        nodes = [node for node in model.graph.node if not (node.op_type == "Constant" and node.output[0] in held)]
        refuse_unknown(nodes)
        self.inputs = real_inputs(model.graph)
        self.outputs = [value.name for value in model.graph.output]
        self.rows = Rows(declared_rows, declared_rows)
        alone = Rows(declared_rows, declared_rows)  # of what comes from constants only, where a shape never means samples
        fed = set(self.inputs)
        self.calls = []
        for node in nodes:
            fed.update(node.output if fed & set(node.input) else ())
            rows = self.rows if fed & set(node.input) else alone
            self.calls.append(Call(node, OPERATORS[node.op_type], opset(model), rows, torch))
        last = {name: place for place, call in enumerate(self.calls) for name in call.inputs}
        self._done: list[list[str]] = [[] for _ in self.calls]
        for name, place in last.items():
            if name not in self.outputs and name not in held:
                self._done[place].append(name)

    def run(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Execute on `values` (constants and inputs by name; it is filled and emptied on the way); returns the outputs.

        Raises:
            ModelRefused: a node cannot be executed with these shapes.
            RunFailed: there is not memory enough.
        """
        self.rows.now = values[self.inputs[0]].shape[0] if self.inputs and values[self.inputs[0]].dim() else 1
        for call, done in zip(self.calls, self._done, strict=True):
            try:
                made = call.operator(call, *[values[name] if name else None for name in call.inputs])
            except EdgetuiError:
                raise
            except Exception as error:
                # PyTorch raises RuntimeError, IndexError, TypeError and others for shapes that do not fit.
                raise _failed(call, error) from error
            values.update(zip(call.outputs, made if isinstance(made, tuple) else (made,), strict=False))
            for name in done:
                values.pop(name, None)
        return {name: values[name] for name in self.outputs}


def _failed(call: Call, error: Exception) -> EdgetuiError:
    text = str(error).strip().partition("\n")[0][:160]
    if "allocate memory" in text or "out of memory" in text:
        return RunFailed(f"training ran out of memory at node {call.label}", fix="give the step a smaller `batch`")
    return ModelRefused(
        f"node {call.label} ({call.kind}) cannot be executed in PyTorch ({text or type(error).__name__})",
        fix="leave the `train.` steps out of the recipe",
    )


class Network(Protocol):
    """What `as_module` makes: a torch.nn.Module that holds these as well."""

    program: Program
    trained: dict[str, nn.Parameter]
    """Parameters by the names of the stored tensors."""

    def __call__(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name, of feeds by name."""


def as_module(model: ModelProto, trained: Collection[str], declared_rows: int = 1) -> Network:
    """The model as a module: `module(feeds)` takes a mapping of input names to tensors and gives one of output names.

    `trained` names the initializers (or outputs of Constant nodes) that become parameters, in `module.trained` by name; all
    others are constants. The batch along axis 0 may be another than the graph was written for, `declared_rows`, as far as
    the graph allows it.

    Raises:
        RecipeRefused: an operator is not known.
    """
    import torch

    program = Program(model, declared_rows)

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.program = program
            self.trained: dict[str, Any] = {}
            self.constants: dict[str, Any] = {}
            for name, tensor in constants(model).items():
                # A copy: what numpy reads from a file's bytes may not be written to.
                value = torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
                if name in trained:
                    self.trained[name] = torch.nn.Parameter(value)
                    self.register_parameter(f"p{len(self.trained)}", self.trained[name])
                else:
                    self.constants[name] = value

        def forward(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return self.program.run({**self.constants, **self.trained, **feeds})

    made: Network = Module()
    return made
