"""Shapes that folding has written for the samples of one inference, written again for any number of them.

With settled inputs what exporters compute from a Shape is a constant, and onnxscript makes a Flatten a Reshape to numbers, the
batch among them. A deployed plan has that batch; but whoever computes several samples at once to be faster (calibration,
repair) could not any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from .constants import drop_unread
from .external import checkable
from .fold import FoldFailed, fold
from .names import Names
from .shapes import declared, fix_inputs, inferred, shape_table
from .values import array_of
from .walk import attribute_int, is_onnx, real_inputs

_Table = Mapping[str, tuple[int, ...]]


class OpenBatch:
    """How the tensors of a model grow with its batch, looked at before the model is folded."""

    def __init__(self, model: ModelProto) -> None:
        names = real_inputs(model.graph)
        shapes = {value.name: declared(value) or () for value in model.graph.input if value.name in names}
        settled = {
            name: tuple(length for length in shape if isinstance(length, int))
            for name, shape in shapes.items()
            if None not in shape
        }
        one = settled == shapes and len({shape[:1] for shape in settled.values()}) == 1 and all(settled.values())
        self._settled = settled if one else {}
        self._light = ModelProto()
        if one:
            self._light.CopyFrom(checkable(model))

    def restore(self, model: ModelProto) -> None:
        """Let a Reshape to numbers say -1 or 0 for the axis that has twice the length with twice as many samples."""
        held = {tensor.name: tensor for tensor in model.graph.initializer}
        fresh: list[TensorProto] = []
        names = Names(model)
        for node in model.graph.node:
            if node.op_type == "Reshape" and is_onnx(node) and len(node.input) > 1 and node.input[1] in held:
                said = [int(length) for length in array_of(held[node.input[1]])]
                sizes = self._sizes(node, said) if self._settled and any(length > 0 for length in said) else said
                if sizes != said:
                    node.input[1] = names.free(f"{node.output[0]}_shape")
                    fresh.append(numpy_helper.from_array(np.array(sizes, np.int64), node.input[1]))
        if fresh:
            model.graph.initializer.extend(fresh)
            drop_unread(model)

    def _sizes(self, node: NodeProto, said: list[int]) -> list[int]:
        """A shape for any batch; as it is where none is known."""
        once, place = next(self._known(node.output[0]), ((), None))
        if place is None or len(said) != len(once) or said[place] <= 0:
            return said
        if -1 not in said:
            return [*said[:place], -1, *said[place + 1 :]]
        if not attribute_int(node, "allowzero", 0) and place == next(self._known(node.input[0]), ((), None))[1]:
            return [*said[:place], 0, *said[place + 1 :]]
        return [*once[:place], -1, *once[place + 1 :]]

    def _known(self, tensor: str) -> Iterator[tuple[tuple[int, ...], int | None]]:
        """Its shape, and the one axis that has twice the length with twice as many samples; None: there is no such."""
        for folded in (False, True):
            once, twice = (table.get(tensor, ()) for table in (self._folded if folded else self._inferred))
            if once and len(once) == len(twice) and 0 not in once:
                grown = [place for place, (one, other) in enumerate(zip(once, twice, strict=True)) if one != other]
                doubled = len(grown) == 1 and twice[grown[0]] == 2 * once[grown[0]]
                yield once, grown[0] if doubled else None

    @cached_property
    def _inferred(self) -> tuple[_Table, _Table]:
        return self._table(1), self._table(2)

    @cached_property
    def _folded(self) -> tuple[_Table, _Table]:
        """The same of a folded model: before opset 14 ONNX's inference does not follow a Reshape whose sizes are computed."""
        return self._table(1, folded=True), self._table(2, folded=True)

    def _table(self, times: int, *, folded: bool = False) -> _Table:
        shapes = {name: (times * shape[0], *shape[1:]) for name, shape in self._settled.items()}
        model = ModelProto()
        model.CopyFrom(self._light)
        fix_inputs(model, shapes)
        try:
            return shape_table(inferred(fold(model) if folded else model, shapes))
        except FoldFailed:
            return {}
