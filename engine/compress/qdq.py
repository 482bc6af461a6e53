"""Q/DQ pairs for ONNX Runtime's CPU: placed so that its optimiser finds an integer kernel for every node between them.

What only moves values (pooling by maximum, reshapes, slices, padding) is written on the integers at once, for ONNX Runtime
drops pairs around some such operators only; Relu and Clip go into the range of what is before them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

from ..graph.walk import attribute, attribute_int, is_onnx, label
from ..graph.weights import weights
from .grid import Activations, Floats, Grid, Range, Stored, activation, bias_as_integers, room_for_bias, weight
from .placement import SINGLES, Placement, for_onnxruntime
from .shortcut import as_convolutions
from .view import View, clip_limits, keeps_axes, moves, operator
from .writer import Writer


@dataclass(frozen=True)
class QdqSettings:
    """How integers are chosen."""

    activations: Activations
    affine: bool
    per_channel: bool
    weight_bits: int
    fill_channels: bool = False
    """Fill one to three input channels up to four: VNNI multiplies four at a time, and MLAS's convolutions by indirection
    (convsym.cpp) take nothing else. On resnet20's first layer: 33 us become 20."""
    learnt: bool = False
    """For training: weights stay floats under their names, through a pair of their own, and biases stay as they are. What is
    computed is the same but for the rounding of biases."""


@dataclass(frozen=True)
class _Form:
    """A tensor as integers."""

    name: str
    grid: Grid
    scale: str
    zero: str


def insert(
    model: ModelProto,
    ranges: dict[str, Range],
    excluded: set[str],
    settings: QdqSettings,
    scales: dict[str, str] | None = None,
) -> int:
    """Rewrite the model in place; returns how many nodes are computed in integers.

    `scales`: filled with the name of each activation's scale, and the tensor whose range it is of.
    """
    ranges = dict(ranges)
    if not settings.learnt:  # a shortcut as slices and a padding of integers has the same values, and no range of its own
        as_convolutions(model, ranges)
    view = View(model)
    placement = for_onnxruntime(view, excluded, ranges.__contains__)
    if placement.integer:
        passing = _QdqPass(view, placement, ranges, excluded, settings)
        passing.run()
        if scales is not None:
            scales.update(passing.scales)
    return len(placement.integer)


class _QdqPass:
    def __init__(
        self, view: View, placement: Placement, ranges: dict[str, Range], excluded: set[str], settings: QdqSettings
    ) -> None:
        self.view = view
        self.placement = placement
        self.ranges = ranges
        self.settings = settings
        self.writer = Writer(view.model)
        self.forms: dict[str, _Form] = {}
        self.floats: dict[str, str] = {}
        """Tensor to the DequantizeLinear output that integer nodes read."""
        self.disagreeing = {one.name for one in weights(view.model) if one.output_axis is None and len(one.nodes) > 1}
        """Weights whose readers have their outputs along different axes: they get one scale, as with `quantize.weights`."""
        self.negated: dict[str, str] = {}
        """Bias to the name of what is subtracted in its place."""
        self.excluded = excluded
        self.scales: dict[str, str] = {}
        """Scale of an activation to the tensor whose range it is of."""
        self.shared: dict[str, tuple[tuple[str, str, str], Stored]] = {}
        """Stored tensor to the names of its integers, scale and zero-point, and what they are."""

    def run(self) -> None:
        absorbed = {node.output[0] for node in self.placement.fused.values()}
        for node in self.view.graph.node:
            key = node.output[0] if node.output else ""
            if key in absorbed:
                continue
            if key not in self.placement.integer:
                for name in node.input:
                    self._as_float(name)
                self.writer.nodes.append(self._bias_apart(node))
            elif node.op_type in ("Relu", "Clip"):
                self._clip(node)
            elif moves(self.view, node):
                self._move(node)
            else:
                self._compute(node)
            fused = self.placement.fused.get(key)
            for name in node.output if fused is None else fused.output:
                if name in self.view.held:
                    self._as_float(name)
        self._embeddings()
        self.writer.finish()

    def _bias_apart(self, node: NodeProto) -> NodeProto:
        """A bias added to an integer MatMul, subtracted instead: ONNX Runtime makes one float Gemm of MatMul and Add before it
        looks for integer kernels. Measured on 12 layers of 192: 1050 us become 154, with floats 185.
        """
        if operator(node) != "Add" or not is_onnx(node) or self.settings.learnt:
            return node
        for product, bias in (tuple(node.input), tuple(reversed(node.input))):
            maker = self.view.producer.get(product)
            integer = maker is not None and maker.op_type == "MatMul" and product in self.placement.integer
            if integer and product not in self.placement.carried and self.view.is_float(bias):
                if bias not in self.negated:
                    self.negated[bias] = self.writer.constant(f"{bias}_negated", -self.view.array(bias).astype(np.float32))
                return helper.make_node("Sub", [product, self.negated[bias]], node.output, name=node.name)
        return node

    def _as_float(self, name: str) -> None:
        """Make sure that a tensor made by an integer node exists as float, under its own name."""
        if name in self.placement.carried and name in self.forms and name not in self.floats:
            form = self.forms[name]
            self.floats[name] = self.writer.add("DequantizeLinear", [form.name, form.scale, form.zero], name)

    def _read(self, name: str) -> str:
        """The DequantizeLinear output of a tensor, quantizing it first where it is float."""
        if name not in self.forms:
            self.forms[name] = self._quantize(name, name)
        if name in self.placement.carried:
            self._as_float(name)
        elif name not in self.floats:
            form = self.forms[name]
            dequantized = self.writer.unique(f"{name}_dq")
            self.floats[name] = self.writer.add("DequantizeLinear", [form.name, form.scale, form.zero], dequantized)
        return self.floats[name]

    def _quantize(self, tensor: str, source: str) -> _Form:
        """A QuantizeLinear on `source` with the grid of `tensor`'s range."""
        grid = activation(self.ranges[tensor], self.settings.activations, self.settings.affine)
        scale, zero = self.writer.grid(tensor, grid)
        self.scales[scale] = tensor
        name = self.writer.add("QuantizeLinear", [source, scale, zero], self.writer.unique(f"{tensor}_q"))
        return _Form(name, grid, scale, zero)

    def _move(self, node: NodeProto) -> None:
        form = self.forms[node.input[0]]
        moved = NodeProto()
        moved.CopyFrom(node)
        moved.input[0] = form.name
        for index, name in enumerate(node.output):
            if name:
                moved.output[index] = self.writer.unique(f"{name}_q")
                self.forms[name] = _Form(moved.output[index], form.grid, form.scale, form.zero)
        mode = attribute(node, "mode")
        if node.op_type == "Pad" and (mode is None or mode.s == b"constant"):
            value = self.writer.constant(f"{node.output[0]}_value", form.grid.zero)
            axes = list(node.input[3:])
            del moved.input[2:]
            moved.input.extend([value, *axes])
        self.writer.nodes.append(moved)

    def _clip(self, node: NodeProto) -> None:
        """Relu and Clip that could not go into a range: a Clip between integers."""
        form = self.forms[node.input[0]]
        low, high = clip_limits(self.view, node) or (-np.inf, np.inf)
        names = [
            self.writer.constant(f"{node.output[0]}_{end}", form.grid.codes(limit))
            for end, limit in (("min", low), ("max", high))
        ]
        output = self.writer.add("Clip", [form.name, *names], self.writer.unique(f"{node.output[0]}_q"))
        self.forms[node.output[0]] = _Form(output, form.grid, form.scale, form.zero)

    def _compute(self, node: NodeProto) -> None:
        key = node.output[0]
        fused = self.placement.fused.get(key)
        result = key if fused is None else fused.output[0]
        fresh = NodeProto()
        fresh.CopyFrom(node)
        fresh.op_type = operator(node)
        self._inputs(node, fresh)
        carried = result in self.placement.carried
        if carried:
            fresh.output[0] = self.writer.unique(f"{result}_float")
        self.writer.nodes.append(fresh)
        if not carried:
            return
        if node.op_type == "ReduceMean":
            self._mean(node, fresh, result)
        else:
            self.forms[result] = self._quantize(result, fresh.output[0])

    def _mean(self, node: NodeProto, fresh: NodeProto, result: str) -> None:
        """A mean over height and width becomes GlobalAveragePool, then loses its axes as integers."""
        fresh.op_type = "GlobalAveragePool"
        del fresh.attribute[:]
        del fresh.input[1:]
        form = self._quantize(result, fresh.output[0])
        if not keeps_axes(node):
            # Squeeze and not Flatten: the optimiser moves layout changes through it, and then drops them.
            axes = self.writer.constant(f"{result}_axes", np.array([2, 3], np.int64))
            flat = self.writer.add("Squeeze", [form.name, axes], self.writer.unique(f"{result}_q"))
            form = _Form(flat, form.grid, form.scale, form.zero)
        self.forms[result] = form

    def _inputs(self, node: NodeProto, fresh: NodeProto) -> None:
        """Point a node at dequantized activations, weights and bias."""
        if node.op_type in ("Conv", "Gemm") or (node.op_type == "MatMul" and self.view.is_constant(node.input[1])):
            self._weighted(node, fresh)
            return
        count = 1 if node.op_type in SINGLES else len(node.input)
        for index, name in enumerate(node.input[:count]):
            fresh.input[index] = self._constant(name) if self.view.is_constant(name) else self._read(name)

    def _constant(self, name: str) -> str:
        """A constant operand of a sum or product, on an activation's kind of grid."""
        array = self.view.array(name).astype(np.float32)
        span = (float(array.min(initial=0.0)), float(array.max(initial=0.0)))
        grid = activation(span, self.settings.activations, self.settings.affine)
        scale, zero = self.writer.grid(name, grid)
        stored = self.writer.constant(f"{name}_{grid.zero.dtype}", grid.codes(array))
        return self.writer.add("DequantizeLinear", [stored, scale, zero], self.writer.unique(f"{name}_dq"))

    def _weighted(self, node: NodeProto, fresh: NodeProto) -> None:
        array = self.view.array(node.input[1]).astype(np.float32)
        if self.settings.learnt:
            fresh.input[0] = self._read(node.input[0])
            fresh.input[1] = self._pair(node, array)
            return
        bias = self.view.array(node.input[2]).astype(np.float32) if len(node.input) > 2 and node.input[2] else None
        if node.op_type == "Gemm":
            array, bias = _plain(node, fresh, array, bias)
        if self._fillable(node, array):
            channels = array.shape[1]
            array = np.pad(array, [(0, 0), (0, 4 - channels)] + [(0, 0)] * (array.ndim - 2))
            fresh.input[0] = self._filled(node.input[0], array.ndim, 4 - channels)
        else:
            fresh.input[0] = self._read(node.input[0])
        scale = self.forms[node.input[0]].grid.scale
        stored = weight(array, self._axis(node, array), self.settings.affine, self.settings.weight_bits)
        if bias is not None:
            stored = room_for_bias(array, stored, bias, scale)
        whole = node.op_type != "Gemm" or all(entry.f == 1 for entry in node.attribute if entry.name == "alpha")
        fresh.input[1] = self._integers(node.input[1], stored) if whole else self.writer.dequantized(node.input[1], stored)
        if bias is not None:
            fresh.input[2] = self._bias(node.input[2], bias, stored, scale)

    def _pair(self, node: NodeProto, array: Floats) -> str:
        """Weights as floats through a pair; training makes its scale of them anew at every step."""
        name, axis = node.input[1], self._axis(node, array)
        key = f"{name}@{axis}"
        if key not in self.floats:
            stored = weight(array, axis, self.settings.affine, self.settings.weight_bits)
            along = {} if axis is None else {"axis": axis}
            scale, zero = self.writer.constant(f"{name}_scale", stored.scale), self.writer.constant(f"{name}_zero", stored.zero)
            integers = self.writer.add("QuantizeLinear", [name, scale, zero], self.writer.unique(f"{name}_q"), **along)
            dequantized = self.writer.unique(f"{name}_dq")
            self.floats[key] = self.writer.add("DequantizeLinear", [integers, scale, zero], dequantized, **along)
        return self.floats[key]

    def _integers(self, name: str, stored: Stored) -> str:
        """Weights as int8. What several nodes read, one of them transposed, is stored once and transposed as integers."""
        seen = self.view.constants[name]
        if stored.values.shape != seen.shape or not seen.transposed:
            return self.writer.dequantized(name, stored)
        order = [axis for axis in seen.axes if axis is not None]
        axis = None if stored.axis is None else order[stored.axis]
        plain = Stored(np.ascontiguousarray(stored.values.transpose(np.argsort(order))), stored.scale, stored.zero, axis)
        held = self.writer.integers(seen.name, plain)
        self.shared.setdefault(seen.name, (held, plain))
        return self.writer.moved(held, order, stored.axis)

    def _embeddings(self) -> None:
        """Let a Gather read the integers of a matrix that a product shares with it, and scale the rows it took."""
        nodes, self.writer.nodes = self.writer.nodes, []
        for node in nodes:
            table = self.view.constants.get(node.input[0]) if node.op_type == "Gather" else None
            held, plain = self.shared.get(table.name, (None, None)) if table and table.in_place else (None, None)
            rows = held is not None and plain is not None and plain.axis in (None, 0) and attribute_int(node, "axis", 0) == 0
            if held is None or plain is None or not rows or not is_onnx(node) or label(node) in self.excluded:
                self.writer.nodes.append(node)
                continue
            rows_held, scale, zero = held
            output, ids = node.output[0], node.input[1]
            taken = self.writer.add("Gather", [rows_held, ids], self.writer.unique(f"{output}_q"))
            if plain.axis is None:
                self.writer.add("DequantizeLinear", [taken, scale, zero], output)
                continue
            axes = self.writer.constant(f"{scale}_axes", np.arange(1, plain.values.ndim))
            column = self.writer.add("Unsqueeze", [scale, axes], self.writer.unique(f"{scale}_column"))
            scales = self.writer.add("Gather", [column, ids], self.writer.unique(f"{output}_scale"))
            floats = self.writer.add("Cast", [taken], self.writer.unique(f"{output}_steps"), to=TensorProto.FLOAT)
            self.writer.add("Mul", [floats, scales], output)

    def _fillable(self, node: NodeProto, array: Floats) -> bool:
        """A first layer with few input channels and enough output channels for the kernel that wants four."""
        few = node.op_type == "Conv" and array.shape[1] < 4 and attribute_int(node, "group", 1) == 1
        return self.settings.fill_channels and few and array.shape[0] >= 16 and node.input[0] not in self.placement.carried

    def _filled(self, name: str, axes: int, missing: int) -> str:
        """The dequantized input with zeros as further channels, up to four."""
        key = f"{name}+"
        if key not in self.floats:
            if name not in self.forms:
                self.forms[name] = self._quantize(name, name)
            form = self.forms[name]
            pads = self.writer.constant(f"{name}_fill", np.array([0] * (axes + 1) + [missing] + [0] * (axes - 2), np.int64))
            filled = self.writer.add("Pad", [form.name, pads, form.zero], self.writer.unique(f"{name}_filled"))
            dequantized = self.writer.unique(f"{name}_filled_dq")
            self.floats[key] = self.writer.add("DequantizeLinear", [filled, form.scale, form.zero], dequantized)
        return self.floats[key]

    def _bias(self, name: str, bias: Floats, stored: Stored, scale: np.float32) -> str:
        steps, bias_scale = bias_as_integers(bias, scale, stored.scale)
        return self.writer.bias(name, steps, bias_scale)

    def _axis(self, node: NodeProto, array: Floats) -> int | None:
        """The axis of output channels, where each shall have its own scale and the kernel can."""
        if not self.settings.per_channel or self.view.constants[node.input[1]].name in self.disagreeing:
            return None
        if node.op_type == "Conv":
            return 0
        if node.op_type == "Gemm":
            return 0 if attribute_int(node, "transB", 0) else 1
        return 1 if array.ndim == 2 else None


def _plain(node: NodeProto, fresh: NodeProto, array: Floats, bias: Floats | None) -> tuple[Floats, Floats | None]:
    """Gemm's alpha and beta go into weights and bias, and the bias becomes a row: the integer kernel knows neither."""
    factors = {entry.name: entry.f for entry in node.attribute if entry.name in ("alpha", "beta")}
    kept = [entry for entry in node.attribute if entry.name not in ("alpha", "beta")]
    del fresh.attribute[:]
    fresh.attribute.extend(kept)
    fresh.attribute.extend([helper.make_attribute("alpha", 1.0), helper.make_attribute("beta", 1.0)])
    columns = array.shape[0] if attribute_int(node, "transB", 0) else array.shape[1]
    if bias is not None:
        bias = np.broadcast_to(bias.reshape(-1), (columns,)) * np.float32(factors.get("beta", 1.0))
    return array * np.float32(factors.get("alpha", 1.0)), bias
