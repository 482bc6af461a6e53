"""Tables that ids choose rows of, stored as integers: a Gather takes rows of integers, and those alone become floats.

A DequantizeLinear over the table, as other weights have it, makes floats of all rows for each inference: 4000 rows of 32 take
19 us where rows of 8 bits take 5 and rows of floats 4, and in 4 bits 96 us where two in a byte take 6.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..graph.constants import drop_unread
from ..graph.names import Names
from ..graph.tables import stored_tables, tables
from ..graph.walk import graphs, label
from ..graph.weights import Weight
from ..system.reporter import Reporter

_HALF = 8
"""Of integers of 4 bits: the zero-point of those that are stored."""


class IntegerRows(NamedTuple):
    """A table in integers."""

    codes: NDArray[np.int8] | NDArray[np.uint8]
    """Signed integers; places where there are `values`."""
    scales: NDArray[np.float32]
    """One for the table, or one for each row; of places their values."""
    places: bool = False


def chosen_tables(model: ModelProto, excluded: set[str]) -> list[Weight]:
    """Tables that no excluded node reads."""
    return [table for table in tables(model) if not excluded.intersection(table.nodes)]


def packs(table: Weight, bits: int) -> bool:
    """Whether rows are stored in 4 bits: two in a byte, so their length must be even."""
    return bits <= 4 and table.shape[1] % 2 == 0


def tell_odd(chosen: list[Weight], bits: int, say: Reporter) -> None:
    """Say which tables are too odd for 4 bits."""
    odd = [table.name for table in chosen if bits <= 4 and not packs(table, bits)]
    if odd:
        say.warn(f"tables with rows of an odd length take 8 bits for each number: {', '.join(odd)}")


def store(model: ModelProto, names: Names, table: Weight, rows: IntegerRows, packed: bool) -> int:
    """Let every Gather of a table take rows of integers, in place; the bytes that they take, scales included."""
    held = [names.free(f"{table.name}_{part}") for part in ("rows", "values" if rows.places else "scale")]
    codes = rows.codes
    if packed:
        whole = (codes if rows.places else codes + _HALF).astype(np.uint8)
        half = table.shape[1] // 2
        codes = whole[:, :half] | (whole[:, half:] << 4)
    by_row = not rows.places and rows.scales.ndim == 1
    scales = rows.scales.reshape(-1, 1) if by_row else rows.scales
    made: dict[str, NDArray[np.generic]] = {held[0]: codes, held[1]: scales.astype(np.float32)}
    others: dict[str, NDArray[np.generic]] = {}
    if not rows.places:
        others["zero"] = np.array(_HALF, np.uint8) if packed else np.array(0, np.int8)
    if by_row:
        others["one"] = np.array(1, np.float32)
    if packed:
        others |= {"low": np.array(15, np.uint8), "four": np.array(4, np.uint8)}
    beside = {part: names.free(f"{table.name}_{part}") for part in others}
    made |= {beside[part]: array for part, array in others.items()}
    for graph in graphs(model.graph):
        for place, node in reversed(list(enumerate(graph.node))):
            if node.op_type == "Gather" and node.input[0] == table.name:
                fresh = _nodes(names, node, held, beside, rows.places)
                del graph.node[place]
                for one in reversed(fresh):
                    graph.node.insert(place, one)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in made.items())
    drop_unread(model)
    return int(codes.nbytes + scales.nbytes)


def _nodes(names: Names, gather: NodeProto, held: list[str], beside: dict[str, str], places: bool) -> list[NodeProto]:
    """What stands in a Gather's place; the last node has its name, for patterns of later steps."""
    stem, ids, output = label(gather), gather.input[1], gather.output[0]

    def free(part: str) -> str:
        return names.free(f"{stem}_{part}")

    codes = free("rows")
    made = [helper.make_node("Gather", [held[0], ids], [codes], name=free("take"))]
    if "low" in beside:
        low, high, whole = free("low"), free("high"), free("codes")
        made += [
            helper.make_node("BitwiseAnd", [codes, beside["low"]], [low], name=free("first")),
            helper.make_node("BitShift", [codes, beside["four"]], [high], name=free("second"), direction="RIGHT"),
            helper.make_node("Concat", [low, high], [whole], name=free("both"), axis=-1),
        ]
        codes = whole
    if places:
        numbers = free("places")
        made.append(helper.make_node("Cast", [codes], [numbers], name=free("as_places"), to=TensorProto.INT32))
        return [*made, helper.make_node("Gather", [held[1], numbers], [output], name=gather.name)]
    if "one" not in beside:
        return [*made, helper.make_node("DequantizeLinear", [codes, held[1], beside["zero"]], [output], name=gather.name)]
    steps, scales = free("steps"), free("scales")
    return [
        *made,
        helper.make_node("DequantizeLinear", [codes, beside["one"], beside["zero"]], [steps], name=free("dequantize")),
        helper.make_node("Gather", [held[1], ids], [scales], name=free("take_scales")),
        helper.make_node("Mul", [steps, scales], [output], name=gather.name),
    ]


def fold_tables(model: ModelProto) -> int:
    """Let tables be floats again, in place, for who takes no rows of integers; how many there were."""
    found = stored_tables(model)
    names, floats = Names(model), dict[str, str]()
    for one in found:
        name = one.integers.name
        if name not in floats:
            floats[name] = names.free(f"{name}_floats")
            model.graph.initializer.append(numpy_helper.from_array(one.array(), floats[name]))
        last = one.nodes[-1]
        whole = helper.make_node("Gather", [floats[name], one.nodes[0].input[1]], [last.output[0]], name=last.name)
        place = list(one.graph.node).index(one.nodes[0])
        for node in one.nodes:
            one.graph.node.remove(node)
        one.graph.node.insert(place, whole)
    if found:
        drop_unread(model)
    return len(floats)
