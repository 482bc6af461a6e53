"""Where an axis of a node's input lies in its output.

Apart from `output_meaning.py`, which follows rows through a graph with it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

from onnx import NodeProto

from .walk import attribute, attribute_int

Dims = tuple[int | None, ...]
Numbers = Callable[[str], list[int] | None]
"""A constant's values by its name; None: not known."""
_OPEN = 1_000_003
"""Stands for a length that is not known where lengths are multiplied: a prime that no real one has."""


class Spot(NamedTuple):
    """An axis, and how many elements of it belong together."""

    axis: int
    width: int


_RESHAPES = frozenset({
    "Reshape", "Flatten", "Squeeze", "Unsqueeze",
})  # fmt: skip
_STAYS = frozenset({
    "Slice", "Pad", "Tile", "Expand", "Concat", "Split", "TopK", "CumSum", "GatherElements", "ScatterND", "ScatterElements",
    "Resize", "Where",
})  # fmt: skip
"""Axes stay where they are although their lengths may change."""


def moved(node: NodeProto, place: int, spot: Spot, inner: Dims, outer: Dims, numbers: Numbers) -> Spot | None:
    """Where an axis of input number `place` lies in an output of that shape; None: it is gone."""
    kind = node.op_type
    if kind in _RESHAPES:
        return _reshaped(spot, inner, outer) if place == 0 else None
    if kind == "Transpose":
        perm = attribute(node, "perm")
        order = list(perm.ints) if perm is not None else list(range(len(inner)))[::-1]
        return Spot(order.index(spot.axis), spot.width)
    if kind == "Gather":
        return _gathered(node, place, spot, inner, outer)
    if kind == "GatherND":
        return _gathered_nd(spot, place, attribute_int(node, "batch_dims", 0), inner, outer)
    if kind.startswith("Reduce") or kind in ("ArgMax", "ArgMin"):
        return _reduced(node, place, spot, inner, numbers)
    if kind in ("MatMul", "Gemm"):
        return _multiplied(node, place, spot, inner, outer)
    if kind == "Einsum":
        return _summed(node, place, spot)
    if kind == "OneHot":
        axis = attribute_int(node, "axis", -1) % len(outer)
        return Spot(spot.axis + (spot.axis >= axis), spot.width) if place == 0 else None
    if kind in ("RoiAlign", "MaxRoiPool"):
        return spot if place > 0 and spot.axis == 0 else None
    if kind in ("Compress", "Unique"):
        along = attribute(node, "axis")
        kept = along is not None and place == 0 and spot.axis != along.i % len(inner)
        return _aligned(spot, inner, outer, any_length=False) if kept else None
    if kind in ("NonZero", "NonMaxSuppression", "Shape", "Size"):
        return None
    if kind in ("ScatterND", "ScatterElements") and place > 0:
        return None
    if kind == "GatherElements" and place == 0 and spot.axis == attribute_int(node, "axis", 0) % len(inner):
        return None
    return _aligned(spot, inner, outer, any_length=kind in _STAYS)


def _aligned(spot: Spot, inner: Dims, outer: Dims, *, any_length: bool) -> Spot | None:
    """As shapes are broadcast: from the right."""
    axis = spot.axis + len(outer) - len(inner)
    if not 0 <= axis < len(outer):
        return None
    before, after = inner[spot.axis], outer[axis]
    return Spot(axis, spot.width) if any_length or before == after or None in (before, after) else None


def _reshaped(spot: Spot, inner: Dims, outer: Dims) -> Spot | None:
    """The axis of the new shape that the old one lies in whole."""
    was, now = ([_OPEN if axis is None else axis for axis in dims] for dims in (inner, outer))
    was = [*was[: spot.axis], was[spot.axis] // spot.width, spot.width * prod(was[spot.axis + 1 :])]
    if prod(was) != prod(now):
        return None
    ahead, behind = prod(was[: spot.axis]), was[-1]
    for axis, length in enumerate(now):
        over, under = prod(now[:axis]), prod(now[axis + 1 :])
        if under and over and behind % under == 0 and ahead % over == 0 and length % max(1, was[spot.axis]) == 0:
            return Spot(axis, behind // under)
    return None


def _gathered(node: NodeProto, place: int, spot: Spot, inner: Dims, outer: Dims) -> Spot | None:
    """The indices' axes stand where the data's axis was."""
    at = attribute_int(node, "axis", 0)
    more = len(outer) - len(inner)
    if place == 1:
        return Spot(spot.axis + (at if at >= 0 else at + more + 1), spot.width)
    axis = at % len(inner)
    if spot.axis == axis:
        return None
    return Spot(spot.axis if spot.axis < axis else spot.axis + more, spot.width)


def _gathered_nd(spot: Spot, place: int, batch: int, inner: Dims, outer: Dims) -> Spot | None:
    if place == 1:
        return spot if spot.axis < len(inner) - 1 else None
    if spot.axis < batch:
        return spot
    axis = spot.axis + len(outer) - len(inner)
    return Spot(axis, spot.width) if axis >= batch and spot.axis >= batch + 1 and outer[axis] == inner[spot.axis] else None


def _reduced(node: NodeProto, place: int, spot: Spot, inner: Dims, numbers: Numbers) -> Spot | None:
    if place > 0:
        return None
    said = attribute(node, "axes")
    axes: list[int] | None = list(said.ints) if said is not None else None
    if node.op_type in ("ArgMax", "ArgMin"):
        axes = [attribute_int(node, "axis", 0)]
    elif axes is None and len(node.input) > 1 and node.input[1]:
        axes = numbers(node.input[1])
    gone = {axis % len(inner) for axis in (range(len(inner)) if axes is None else axes)}
    if spot.axis in gone:
        return None
    fewer = 0 if attribute_int(node, "keepdims", 1) else sum(axis < spot.axis for axis in gone)
    return Spot(spot.axis - fewer, spot.width)


def _multiplied(node: NodeProto, place: int, spot: Spot, inner: Dims, outer: Dims) -> Spot | None:
    if len(inner) < 2 or place > 1:
        return None
    own = len(inner) - 2 if place == 0 else len(inner) - 1
    if attribute_int(node, ("transA", "transB")[place], 0):
        own = 2 * len(inner) - 3 - own
    if spot.axis >= len(inner) - 2:
        return Spot(len(outer) - 2 + place, spot.width) if spot.axis == own and len(outer) >= 2 else None
    return _aligned(spot, inner, outer, any_length=False)


def _summed(node: NodeProto, place: int, spot: Spot) -> Spot | None:
    """Einsum: the letter's place behind the arrow; not where an ellipsis stands for axes."""
    equation = attribute(node, "equation")
    text = equation.s.decode().replace(" ", "") if equation is not None else ""
    before, arrow, after = text.partition("->")
    terms = before.split(",")
    if not arrow or "." in text or place >= len(terms) or spot.axis >= len(terms[place]):
        return None
    axis = after.find(terms[place][spot.axis])
    return Spot(axis, spot.width) if axis >= 0 else None
