"""Into which nodes those of the file went: kept in the model, so that a recipe may name a node as the file calls it.

Normalising fuses, folds and writes out, and whoever excludes a node by the name that their own tools show must be
told what stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Struct
from onnx import ModelProto

from . import metadata
from .inline import Calls
from .plugins import of_onnx
from .walk import graphs, inner_graphs, label, nodes

KEY = "origins"
"""Metadata key under `edgetui.`; `compress.lower` drops it."""
_PASSING = ("Cast", "Dropout", "Identity")
"""Where such a node is gone, what made its input makes its output."""


class Origin(Struct, frozen=True):
    """A node of the file that is not in the graph any more."""

    operator: str
    became: tuple[str, ...]
    """Labels of the nodes that it is part of, or whose constants it computed; none: nothing needed it."""


@dataclass(frozen=True)
class _Was:
    name: str
    operator: str
    ours: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    fixed: bool
    """It depends on constants alone."""


class Before:
    """The nodes of a model before it is changed."""

    def __init__(self, model: ModelProto, calls: Calls) -> None:
        self._calls = calls
        self._all: list[_Was] = []
        fixed = {tensor.name for graph in graphs(model.graph) for tensor in graph.initializer}
        for node in nodes(model):
            constant = not any(inner_graphs(node)) and fixed.issuperset(filter(None, node.input))
            if constant:
                fixed.update(node.output)
            self._all.append(
                _Was(label(node), node.op_type, of_onnx(node), tuple(node.input), tuple(filter(None, node.output)), constant)
            )
        self._made = {name: was for was in self._all for name in was.outputs}
        self._readers: dict[str, list[_Was]] = {}
        for was in self._all:
            for name in was.inputs:
                self._readers.setdefault(name, []).append(was)

    def made_abroad(self, name: str) -> bool:
        """Whether an operator of another domain made a tensor."""
        return name in self._made and not self._made[name].ours

    def restore_names(self, model: ModelProto) -> None:
        """Call a rewritten node as the node it stands for: a convolution that took in its batch norm keeps its own name."""
        known = {was.name for was in self._all}
        for node in nodes(model):
            if node.name in known:
                continue
            source = next((self._made[name] for name in node.output if name in self._made), None)
            while source is not None and source.operator != node.op_type:
                source = self._made.get(source.inputs[0]) if source.inputs else None
            if source is not None:
                node.name = source.name

    def leave_origins(self, model: ModelProto) -> None:
        """Write into the changed model what became of each node that is not in it."""
        after = {label(node) for node in nodes(model)}
        makers = {name: label(node) for node in nodes(model) for name in node.output}
        gone: dict[str, Origin] = {}
        for was in self._all:
            if was.name not in after:
                gone[was.name] = Origin(was.operator, tuple(sorted(self._went(was, after, makers))))
        for caller, (function, inside) in self._calls.items():
            there = {name for name in inside if name in after}
            became = there.union(*(gone[name].became for name in inside if name in gone))
            gone[caller] = Origin(function, tuple(sorted(became)))
        if gone:
            metadata.put(model, KEY, msgspec.to_builtins(gone))

    def _went(self, was: _Was, after: set[str], makers: dict[str, str]) -> set[str]:
        """Labels of the nodes that a node which is gone is part of now."""
        found: set[str] = set()
        seen: set[str] = set()
        ahead = [was]
        while ahead:
            one = ahead.pop()
            if one.name in seen:
                continue
            seen.add(one.name)
            if one.name in after:
                found.add(one.name)
            elif made := {makers[name] for name in one.outputs if name in makers}:
                found |= made
            elif one.operator in _PASSING and not one.fixed and (one.inputs[0] in makers or one.inputs[0] in self._made):
                before = one.inputs[0]
                found.update([makers[before]] if before in makers else [])
                ahead += [] if before in makers else [self._made[before]]
            else:
                ahead += [reader for name in one.outputs for reader in self._readers.get(name, ())]
        return found


def origins(model: ModelProto) -> dict[str, Origin]:
    """The nodes that are gone, by name, as `Before.leave_origins` wrote them.

    Raises:
        ModelRefused: the metadata are damaged.
    """
    return metadata.read(model, KEY, dict[str, Origin]) or {}


def follow(model: ModelProto, following: Mapping[str, Iterable[str]]) -> None:
    """Let what became of nodes be those of `following` where it names them: a step has replaced nodes."""
    known = origins(model)
    if known:
        moved = {
            name: Origin(one.operator, tuple(sorted({new for old in one.became for new in following.get(old, (old,))})))
            for name, one in known.items()
        }
        metadata.put(model, KEY, msgspec.to_builtins(moved))
