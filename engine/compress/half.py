"""The rewrite to half precision: inputs and outputs stay FP32, kept nodes compute in FP32, the rest in FP16.

Apart from the step that asks for it, and our own, because onnxconverter-common's pass leaves FP32 -> FP16 -> FP32 round trips
between two kept nodes when one output has two readers (what was kept for its size overflows there), and mixes types where a
kept and a converted node share a constant. Which inputs may be half floats comes from ONNX's own operator schemas.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, defs, helper, numpy_helper, shape_inference

from ..errors import ModelRefused
from ..graph.external import skeleton
from ..graph.names import Names
from ..graph.opset import following, raise_opset
from ..graph.values import array_of
from ..graph.walk import attribute, attribute_int, bodies, constants, is_onnx, label, opset
from .islands import widened

LARGEST_HALF = 65504.0
SMALLEST_HALF = 2.0**-24
LEAST_NORMAL = 2.0**-14
"""Scales and weights below the smallest normal half float lose digits; their nodes stay in FP32."""

MOST_STEPS = 128
"""A signed 8-bit number stands for so many steps of its scale at most."""

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
_QUANTIZING = ("QuantizeLinear", "DequantizeLinear")
_AS_THEY_ARE = ("Constant", "Cast", "BitCast", "Celu")
"""TensorRT-RTX 1.7 has no Celu of half floats."""


def to_fp16(model: ModelProto, keep: Collection[str]) -> ModelProto:
    """The model in half precision but for the nodes whose labels are in `keep`; the one given is used up.

    Inputs and outputs keep names and types; a tensor `x` that is made in half precision is called `x_fp16`. Operators of other
    domains, those with bodies (If, Loop, Scan) and those whose schema has no half floats stay in FP32. Beside QuantizeLinear
    the opset is raised to 19, where scales may be half floats.

    Raises:
        ModelRefused: the opset cannot be raised, or the result is not a valid graph.
    """
    if any(node.op_type in _QUANTIZING for node in model.graph.node):
        before = model
        model = raise_opset(model, 19, "half precision beside Q/DQ")
        keep = keep if model is before else following(before, model, keep)
    _Rewrite(model, keep).run()
    try:
        shape_inference.infer_shapes(skeleton(model), check_type=True, strict_mode=True)
    except shape_inference.InferenceError as error:
        raise ModelRefused(
            f"half precision does not fit this model ({str(error).strip().splitlines()[0][:160]})",
            fix="name the node in `keep` of precision.fp16, or leave the step out",
        ) from error
    return model


def halved(model: ModelProto, keep: Collection[str]) -> set[str]:
    """Labels of the nodes that `to_fp16` would compute in half precision; the model stays as it is."""
    return {label(node) for node, plan in _Rewrite(model, keep).plans() if any(plan.inputs)}


@dataclass(frozen=True)
class _Plan:
    """Which inputs and outputs of a node become half floats."""

    inputs: list[bool]
    outputs: list[bool]


@dataclass(frozen=True)
class _Ports:
    """For inputs and outputs of an operator: the type parameter, and whether it may be half floats. The last one repeats."""

    inputs: tuple[tuple[str, bool], ...]
    outputs: tuple[tuple[str, bool], ...]


@dataclass
class _Rewrite:
    model: ModelProto
    keep: Collection[str]
    types: dict[str, int] = field(init=False)
    """Element type of every tensor of the main graph in FP32; missing: cannot be told."""
    held: dict[str, TensorProto] = field(init=False)
    """Constants."""
    halves: dict[str, str] = field(default_factory=dict)
    """FP32 name to the name of its half."""
    full: set[str] = field(default_factory=set)
    """Names that somebody reads in FP32."""
    made: set[str] = field(default_factory=set)
    """Activations that exist by now, under either name."""
    done: list[NodeProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = Names(self.model)

    def plans(self) -> list[tuple[NodeProto, _Plan]]:
        """What becomes of each node of the main graph."""
        self.held = constants(self.model)
        self.types = _types(self.model)
        self.keep = widened(self.model, self.keep)
        version = opset(self.model)
        return [(node, self._plan(node, version)) for node in self.model.graph.node]

    def run(self) -> None:
        graph = self.model.graph
        plans = self.plans()
        self.made.update(value.name for value in graph.input)
        outputs = {value.name for value in graph.output}
        self._split_constants(plans, outputs)
        for node, plan in plans:
            results = outputs.intersection(node.output)
            self._emit(node, plan)
            for name in results:
                self._as(name, FLOAT)
        del graph.node[:]
        graph.node.extend(self.done)
        kept = [value for value in graph.value_info if value.name in self.made]
        del graph.value_info[:]
        graph.value_info.extend(kept)

    def _plan(self, node: NodeProto, version: int) -> _Plan:
        full = _Plan([False] * len(node.input), [False] * len(node.output))
        if label(node) in self.keep or not is_onnx(node) or node.op_type in _AS_THEY_ARE or any(bodies(node)):
            return full
        if attribute(node, "reduction") is not None:
            return full  # ONNX Runtime scatters half floats, but cannot add or multiply while it scatters
        ports = _ports(node.op_type, version)
        if ports is None or any(name and name not in self.types for name in [*node.input, *node.output]):
            return full
        if node.op_type in _QUANTIZING and not self._halves_scale(node):
            return full
        inputs = [self._may_change(name, index, ports.inputs) for index, name in enumerate(node.input)]
        bound = {_port(ports.inputs, index)[0] for index, half in enumerate(inputs) if half}
        if node.op_type == "DequantizeLinear" and not attribute_int(node, "output_dtype", 0):
            bound.add(ports.outputs[0][0])  # since opset 23 the output has a parameter of its own and follows the scale
        outputs = [self._may_change(name, index, ports.outputs) for index, name in enumerate(node.output)]
        unbound = any(half and _port(ports.outputs, index)[0] not in bound for index, half in enumerate(outputs))
        return full if unbound or not any(inputs) else _Plan(inputs, outputs)

    def _may_change(self, name: str, index: int, ports: tuple[tuple[str, bool], ...]) -> bool:
        return self.types.get(name) == FLOAT and _port(ports, index)[1]

    def _halves_scale(self, node: NodeProto) -> bool:
        """True when a scale is constant, and what it makes of 8 bits neither too small nor too large for half floats."""
        scale = self.held.get(node.input[1])
        if scale is None:
            return False
        array = np.abs(array_of(scale).astype(np.float64))
        return bool(np.all((array >= LEAST_NORMAL) & (array * MOST_STEPS <= LARGEST_HALF)))

    def _split_constants(self, plans: list[tuple[NodeProto, _Plan]], outputs: set[str]) -> None:
        """Give each constant the form its readers want: half, FP32, or both under two names."""
        half: set[str] = set()
        full = self.full
        full.update(outputs)
        for node, plan in plans:
            for name, wants_half in zip(node.input, plan.inputs, strict=True):
                (half if wants_half else full).add(name)
            full.update(_captured(node))
        initializers = {tensor.name for tensor in self.model.graph.initializer}
        for name in sorted(half.intersection(self.held)):
            tensor = self.held[name]
            copy = _half_tensor(tensor, self._half_name(name))
            if name in full or name not in initializers:
                self.model.graph.initializer.append(copy)
            else:
                tensor.CopyFrom(copy)

    def _emit(self, node: NodeProto, plan: _Plan) -> None:
        """Write a node with inputs in the types it wants and outputs under the names of the types it makes."""
        if node.op_type == "Constant" and node.output[0] in self.halves and node.output[0] not in self.full:
            return
        for index, half in enumerate(plan.inputs):
            node.input[index] = self._as(node.input[index], HALF if half else FLOAT)
        for name in _captured(node):
            self._as(name, FLOAT)
        for index, half in enumerate(plan.outputs):
            if half:
                node.output[index] = self._half_name(node.output[index])
        self.made.update(node.output)
        self.done.append(node)

    def _as(self, name: str, wanted: int) -> str:
        """What a tensor is called in the type wanted; makes the Cast before its first reader."""
        if name in self.held:
            return self.halves[name] if wanted == HALF else name
        if wanted == FLOAT and (name in self.made or name not in self.halves):
            return name
        source, target = (name, self._half_name(name)) if wanted == HALF else (self.halves[name], name)
        if target not in self.made:
            self.made.add(target)
            self.done.append(helper.make_node("Cast", [source], [target], name=self.names.free(f"{target}_cast"), to=wanted))
        return target

    def _half_name(self, name: str) -> str:
        if name not in self.halves:
            self.halves[name] = self.names.free(f"{name}_fp16")
        return self.halves[name]


def _types(model: ModelProto) -> dict[str, int]:
    """Element types of the main graph's tensors, by shape inference."""
    light = skeleton(model)
    # Where inference trips, what the file itself says of types is left; the rest stays in FP32.
    with suppress(shape_inference.InferenceError, RuntimeError, ValueError):
        light = shape_inference.infer_shapes(light)
    values = [*light.graph.input, *light.graph.value_info, *light.graph.output]
    known = {value.name: int(value.type.tensor_type.elem_type) for value in values if value.type.HasField("tensor_type")}
    known.update({name: tensor.data_type for name, tensor in constants(model).items()})
    return known


def _captured(node: NodeProto) -> Iterator[str]:
    """Names a node's bodies read, those of the graph around them among them."""
    for body in bodies(node):
        yield from (value.name for value in body.output)
        for inner in body.node:
            yield from inner.input


def _port(ports: tuple[tuple[str, bool], ...], index: int) -> tuple[str, bool]:
    return ports[min(index, len(ports) - 1)]


@cache
def _ports(operator: str, version: int) -> _Ports | None:
    """What ONNX's schema says; None: it does not know the operator."""
    try:
        schema = defs.get_schema(operator, version, "")
    except defs.SchemaError:
        return None
    half = {entry.type_param_str: "tensor(float16)" in entry.allowed_type_strs for entry in schema.type_constraints}
    half["tensor(float16)"] = True
    inputs = tuple((entry.type_str, half.get(entry.type_str, False)) for entry in schema.inputs)
    return _Ports(inputs, tuple((entry.type_str, half.get(entry.type_str, False)) for entry in schema.outputs))


def _half_tensor(tensor: TensorProto, name: str) -> TensorProto:
    """A half copy. What is past 65504 becomes that, infinity stays; a scalar too small stays above 0: it may be divided by."""
    array = array_of(tensor)
    finite = np.where(np.isfinite(array), np.clip(array, -LARGEST_HALF, LARGEST_HALF), array)
    if array.size == 1:
        finite = np.where((array != 0) & (np.abs(array) < SMALLEST_HALF), np.copysign(SMALLEST_HALF, array), finite)
    return numpy_helper.from_array(finite.astype(np.float16).reshape(array.shape), name)
