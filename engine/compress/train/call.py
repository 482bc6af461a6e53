"""One node of a graph as it is executed in PyTorch: its attributes, and what its operator may want to know.

Apart because every table of operators reads nodes through it, and PyTorch comes in through it: no table imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from onnx import NodeProto, TensorProto, helper

from ...errors import RecipeRefused
from ...graph.walk import label

if TYPE_CHECKING:
    from torch import Tensor

Operator = Callable[..., Any]
"""(call, *inputs) to a tensor, or a tuple of them; an input that is left out is None."""
Table = dict[str, Operator]


@dataclass
class Rows:
    """How many samples the graph was written for along axis 0, and how many are in it now."""

    declared: int
    now: int


class Call:
    """A node, ready to be executed."""

    def __init__(self, node: NodeProto, operator: Operator, opset: int, rows: Rows, torch: ModuleType) -> None:
        self.label = label(node)
        self.kind = node.op_type
        self.inputs, self.outputs = tuple(node.input), tuple(node.output)
        self.operator, self.opset, self.rows, self.torch = operator, opset, rows, torch
        self.functional = torch.nn.functional
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

    def ints(self, name: str, default: list[int] | None = None) -> list[int]:
        """A list of whole numbers."""
        return [int(one) for one in self._given.get(name, default or [])]

    def axes(self, given: Tensor | None) -> list[int] | None:
        """`axes` as an input (newer opsets) or as an attribute; None: left out."""
        if given is not None:
            return [int(one) for one in given.reshape(-1).tolist()]
        return self.ints("axes") if self.has("axes") else None

    def refuse(self, why: str) -> RecipeRefused:
        """The error for a form of the operator that is not known here."""
        return RecipeRefused(
            f"node {self.label} ({self.kind}): {why}, which cannot be trained here",
            fix="leave the `train.` steps out of the recipe, or export the model without it",
        )
