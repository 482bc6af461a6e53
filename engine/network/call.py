"""One node of a graph as it is executed in PyTorch: its attributes, and what its operator may want to know.

Apart because every table of operators reads nodes through it, and PyTorch comes in through it: no table imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from onnx import NodeProto, TensorProto, helper

from ..errors import ModelRefused
from ..graph.walk import label

if TYPE_CHECKING:
    from torch import Tensor

Operator = Callable[..., Any]
"""(call, *inputs) to a tensor, or a tuple of them; an input that is left out is None."""
Table = dict[str, Operator]


@dataclass(frozen=True)
class WayOut:
    """What a person can do where PyTorch cannot follow; whoever makes the module knows."""

    instead: str
    """Of a model that PyTorch cannot execute."""
    memory: str
    """Of one that it has not memory enough for."""
    ways: Mapping[str, str] = field(default_factory=dict)
    """Of the first, too, where the backend reads the model: see `errors.EdgetuiError`."""


class Numbers(list[Any]):
    """What a tensor holds, flat, where an operator wants numbers and no tensor: shapes, axes, sizes."""


@dataclass
class Rows:
    """How many samples the graph was written for along axis 0, and how many are in it now."""

    declared: int
    now: int


class Call:
    """A node, ready to be executed."""

    def __init__(
        self, node: NodeProto, operator: Operator, opset: int, rows: Rows, kinds: Sequence[int], way_out: WayOut
    ) -> None:
        """`kinds`: the element type of each input that is stored in the file, 0 for the others."""
        import torch

        self.label = label(node)
        self.kind = node.op_type
        self.inputs, self.outputs = tuple(node.input), tuple(node.output)
        self.operator, self.opset, self.rows, self.kinds = operator, opset, rows, tuple(kinds)
        self.torch: ModuleType = torch
        self.functional = torch.nn.functional
        self.way_out = way_out
        self.when_read: Callable[[Tensor], None] | None = None
        """Told of every tensor whose numbers are read."""
        self._given: dict[str, Any] = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}

    def has(self, name: str) -> bool:
        """Whether the attribute is given."""
        return name in self._given

    def numbers(self, name: str) -> list[float]:
        """A list of numbers."""
        return [float(one) for one in self._given.get(name, [])]

    def tensor(self, name: str) -> TensorProto | None:
        """A stored tensor; None when it is not given."""
        found = self._given.get(name)
        return found if isinstance(found, TensorProto) else None

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        return int(self._given.get(name, default))

    def number(self, name: str, default: float) -> float:
        """A number."""
        return float(self._given.get(name, default))

    def text(self, name: str, default: str) -> str:
        """A word."""
        found = self._given.get(name, default)
        return found.decode() if isinstance(found, bytes) else str(found)

    def words(self, name: str) -> list[str]:
        """A list of words."""
        return [one.decode() for one in self._given.get(name, [])]

    def ints(self, name: str, default: list[int] | None = None) -> list[int]:
        """A list of whole numbers."""
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
            fix=self.way_out.instead,
            ways=self.way_out.ways,
        )
