"""Which nodes of an ONNX file a node of ONNX Runtime's plan computes, told from its name.

ONNX Runtime says nothing of it: it names a fused node after one of those it came from, or after the tensor it
makes, and adds marks of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from onnx import ModelProto, NodeProto

from ..graph.load import load
from ..graph.walk import graphs
from ..schema.plan import LayerFacts

_MARKS = re.compile(r"^InsertedPrecisionFreeCast_|_nchwc$|_token_\d+$|_fp16$")
_FUSED_PREFIX = re.compile(r"^(QLinear|Nhwc|Fused)")
_FUSED_BEHIND = frozenset({"Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSigmoid", "Tanh", "Add", "Mul", "BatchNormalization"})
"""What ONNX Runtime computes together with the node before it."""
_LONGEST_CHAIN = 4


def with_origins(layers: tuple[LayerFacts, ...], source: Path) -> tuple[LayerFacts, ...]:
    """The layers, with the nodes of the ONNX file `source` where the name tells them; inserted layers have none.

    Raises:
        ModelRefused: the file cannot be read.
    """
    nodes = _Nodes(load(source))
    return tuple(
        layer if layer.reformat else msgspec.structs.replace(layer, origin=tuple(nodes.behind(layer))) for layer in layers
    )


class _Nodes:
    def __init__(self, model: ModelProto) -> None:
        every = [node for graph in graphs(model.graph) for node in graph.node]
        self._by_name = {node.name: node for node in every if node.name}
        self._by_output = {output: node for node in every for output in node.output if output}

    def behind(self, layer: LayerFacts) -> list[str]:
        """Names of the nodes, the first that runs first."""
        last = next((node for name in _spellings(layer.name) if (node := self._known(name)) is not None), None)
        if last is None:
            return []
        chain = self._chain(last, _FUSED_PREFIX.sub("", layer.kind))
        return [node.name or node.output[0] for node in chain]

    def _known(self, name: str) -> NodeProto | None:
        return self._by_name.get(name) or self._by_output.get(name)

    def _chain(self, last: NodeProto, kind: str) -> list[NodeProto]:
        """From the node that does what the layer's kind says to `last`; only `last` where that cannot be told."""
        paths = [[last]]
        for _ in range(_LONGEST_CHAIN):
            found = [path for path in paths if path[0].op_type == kind]
            if found:
                return found[0] if len(found) == 1 else [last]
            paths = [
                [before, *path]
                for path in paths
                if path[0].op_type in _FUSED_BEHIND
                for name in path[0].input
                if (before := self._by_output.get(name)) is not None
            ]
        return [last]


def _spellings(name: str) -> Iterator[str]:
    """The name, then without one mark of ONNX Runtime after the other."""
    yield name
    while (bare := _MARKS.sub("", name)) != name:
        yield bare
        name = bare
