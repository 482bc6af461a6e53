"""One node of a graph as it is executed in PyTorch: its attributes, and what its operator may want to know.

Every table of operators reads nodes through it, and PyTorch comes in through it: no table imports it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from onnx import NodeProto, TensorProto, helper

from ..errors import Fixes, ModelRefused
from ..graph.walk import label

if TYPE_CHECKING:
    from torch import Tensor

Operator = Callable[..., Any]
"""(call, *inputs) to a tensor, or a tuple of them; an input that is left out is None."""
Table = dict[str, Operator]


@dataclass(frozen=True)
class Hints:
    """What a person can do where PyTorch cannot follow; whoever makes the module knows."""

    unsupported: Fixes
    """Of a model that PyTorch cannot execute."""
    out_of_memory: str
    """Of one that it has not memory enough for."""


def ran_out_of_memory(error: Exception) -> bool:
    """Whether PyTorch raised for want of memory; of the CPU it is a RuntimeError, and only its words tell."""
    return "out of memory" in str(error) or "allocate memory" in str(error)


class Numbers(list[Any]):
    """What a tensor holds, flat, where an operator wants numbers and no tensor: shapes, axes, sizes."""


class BatchSize(threading.local):
    """How many samples the graph was written for along axis 0, and how many are in it now, in each thread for itself."""

    def __init__(self, declared: int, now: int) -> None:
        self.declared, self.now = declared, now


class Call:
    """A node, ready to be executed."""

    def __init__(
        self, node: NodeProto, operator: Operator, opset: int, batch: BatchSize, kinds: Sequence[int], hints: Hints
    ) -> None:
        """`kinds`: the element type of each input that is stored in the file, 0 for the others."""
        import torch

        self.label = label(node)
        self.kind = node.op_type
        self.inputs, self.outputs = tuple(node.input), tuple(node.output)
        self.operator, self.opset, self.batch, self.kinds = operator, opset, batch, tuple(kinds)
        self.torch: ModuleType = torch
        self.functional = torch.nn.functional
        self.hints = hints
        self.when_read: Callable[[Tensor], None] | None = None
        """Told of every tensor whose numbers are read."""
        self._given: dict[str, Any] = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}

    def has(self, name: str) -> bool:
        """Whether the node has the attribute `name`: left out is not always the same as its default."""
        return name in self._given

    def numbers(self, name: str) -> list[float]:
        """The attribute as floats; empty where it is left out."""
        return [float(one) for one in self._given.get(name, [])]

    def tensor(self, name: str) -> TensorProto | None:
        """The tensor that the attribute holds; None where it is left out."""
        found = self._given.get(name)
        return found if isinstance(found, TensorProto) else None

    def whole(self, name: str, default: int) -> int:
        """The attribute as an int; `default` is what the operator's schema says."""
        return int(self._given.get(name, default))

    def number(self, name: str, default: float) -> float:
        """The attribute as a float; `default` is what the operator's schema says."""
        return float(self._given.get(name, default))

    def text(self, name: str, default: str) -> str:
        """The attribute as text; the file holds bytes."""
        found = self._given.get(name, default)
        return found.decode() if isinstance(found, bytes) else str(found)

    def words(self, name: str) -> list[str]:
        """The attribute as texts; empty where it is left out."""
        return [one.decode() for one in self._given.get(name, [])]

    def ints(self, name: str, default: list[int] | None = None) -> list[int]:
        """The attribute as ints; `default`, or empty, where it is left out."""
        return [int(one) for one in self._given.get(name, default or [])]

    def read(self, x: Tensor | Numbers) -> list[Any]:
        """The numbers in a tensor, flat. On a GPU this waits for it, so settled graphs hold `Numbers` in their place."""
        if isinstance(x, Numbers):
            return x
        if self.when_read is not None:
            self.when_read(x)
        found: list[Any] = x.reshape(-1).tolist()
        return found

    def axes(self, given: Tensor | None) -> list[int] | None:
        """`axes` as an input (newer opsets) or as an attribute; None: left out."""
        if given is not None:
            return [int(one) for one in self.read(given)]
        return self.ints("axes") if self.has("axes") else None

    def refuse(self, why: str) -> ModelRefused:
        """The error for a form of the operator that is not known here."""
        return ModelRefused(
            f"node {self.label} ({self.kind}): {why}, which edgetui cannot do in PyTorch",
            fix=self.hints.unsupported,
            node=self.label,
        )
