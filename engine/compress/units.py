"""Units of a model: nodes that a backend computes together, so that a change of one of them is a change of all.

Apart from `placement.py`, which says what is computed in integers, because pruning and half precision have the same units.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from onnx import ModelProto, NodeProto

from ..graph.walk import is_onnx, label, within
from ..graph.weights import RECURRENT, Weight, weights
from ..graph.wiring import read
from .view import View

HEADS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul", *RECURRENT))
"""Operators that multiply: each begins a unit, and what follows up to the next one is fused into it or computed beside it."""


@dataclass(eq=False)
class ModelUnit:
    """Nodes of the main graph, in its order."""

    heads: list[NodeProto] = field(default_factory=list)
    """Those that multiply; the first gives the unit its name."""
    nodes: list[NodeProto] = field(default_factory=list)
    tensor: str = ""
    """The last float tensor that others read of it; empty: there is none."""
    weights: list[Weight] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What it is called."""
        return label(self.heads[0])

    @property
    def labels(self) -> tuple[str, ...]:
        """Of all nodes, those in bodies among them."""
        return tuple(label(node) for node in within(self.nodes))


def units_of(model: ModelProto) -> list[ModelUnit]:
    """The units of the main graph in its order; empty where nothing multiplies.

    A unit is a node of `HEADS` with all that follows it (bias, activation, residual sum, pooling, reshapes) up to the next
    such node. Nodes that share their weights are one unit, and products of one tensor with weights of one shape (queries, keys
    and values), which backends merge. What stands before the first head belongs to the unit that reads it.
    """
    view, found = View(model), weights(model)
    made: list[ModelUnit] = []
    owner: dict[str, ModelUnit] = {}
    alike: dict[object, ModelUnit] = {}
    early: list[NodeProto] = []
    of_node: dict[str, list[Weight]] = {}
    for weight in found:
        for name in weight.nodes:
            of_node.setdefault(name, []).append(weight)
    for node in model.graph.node:
        if node.op_type == "Constant" or (node.output and view.is_constant(node.output[0])):
            continue
        sources = [owner[name] for name in read(node) if name in owner]
        if node.op_type in HEADS and is_onnx(node):
            unit = _unit_of(node, of_node.get(label(node), []), alike, made)
            unit.heads.append(node)
        elif sources:
            unit = max(sources, key=made.index)
        else:
            early.append(node)
            continue
        unit.nodes.append(node)
        owner.update((name, unit) for name in node.output if name)
    _give_early(early, made)
    for unit in made:
        mine = {name for node in unit.heads for name in (label(node),)}
        unit.weights = [weight for weight in found if mine.intersection(weight.nodes)]
        unit.tensor = _leaving(view, unit)
    return made


def _unit_of(node: NodeProto, mine: list[Weight], alike: dict[object, ModelUnit], made: list[ModelUnit]) -> ModelUnit:
    """The unit that a head belongs to: one that is there already, or a new one."""
    keys: list[object] = [id(weight) for weight in mine]
    if node.op_type in ("Gemm", "MatMul"):
        keys += [(node.op_type, node.input[0], weight.shape) for weight in mine]
    unit = next((alike[key] for key in keys if key in alike), None)
    if unit is None:
        unit = ModelUnit()
        made.append(unit)
    alike.update(dict.fromkeys(keys, unit))
    return unit


def _give_early(early: list[NodeProto], made: list[ModelUnit]) -> None:
    """Give what stands before every head to the first unit that reads it, the last such node first."""
    for node in reversed(early):
        outputs = set(node.output)
        reader = next((unit for unit in made if any(outputs.intersection(read(one)) for one in unit.nodes)), None)
        if reader is not None:
            reader.nodes.insert(0, node)


def _leaving(view: View, unit: ModelUnit) -> str:
    """The last tensor of floats that a unit gives to others."""
    mine = {id(node) for node in unit.nodes}
    for node in reversed(unit.nodes):
        for name in node.output:
            readers = view.users.get(name, [])
            outside = name in view.held or any(id(reader) not in mine for reader in readers)
            if name and outside and view.holds_floats(name):
                return str(name)
    return ""


def others(model: ModelProto, labels: Iterable[str]) -> set[str]:
    """The labels of all nodes of a model but these."""
    return {label(node) for node in within(model.graph.node)} - set(labels)
