"""`quantize.shared`: the weights of a layer share few values, the layer's codebook (Han et al. 2016, Deep Compression).

The codebook is found by k-means, begun with values spread evenly between the ends, which keeps the few large weights (Han's
section 3.2). Zero keeps a place of its own where weights are zero, so that a pruned model stays pruned.
"""

from __future__ import annotations

import heapq
import math
from itertools import count
from pathlib import Path

import numpy as np
from ml_dtypes import uint4
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ..errors import ModelRefused
from ..graph import weights as stored
from ..graph.load import load, save_apart
from ..graph.names import Names
from ..graph.select import select
from ..graph.values import raw_bytes
from ..schema.steps import QuantizeShared
from ..system.heap import give_back_large_blocks
from ..system.reporter import Reporter
from .annotations import raised, read_int8
from .magnitude import counted, tell_computed
from .token_tables import IntegerRows, chosen_tables, packs, store, tell_odd
from .weight_only import put_in, taken_by_int8

_BINS = 1 << 16
"""Values are counted in so many steps between their ends before they are clustered: memory does not grow with their number."""
_ROUNDS = 60
"""Of k-means, at most; most layers stand still after 20."""

Doubles = NDArray[np.float64]


def share(step: QuantizeShared, source: Path, out: Path, say: Reporter) -> str:
    """Write the model at `source` with a codebook for each weight to `out`; returns bytes before, after, and Huffman-coded.

    A weight becomes places of 8 bits, or of 4 where 16 values are enough (opset 21), and a Cast and a Gather in front of its
    reader; of a table, a Gather takes rows of places first. Two bits or three are stored in four: only Huffman coding makes
    less of them, and its size is told, not written.

    Raises:
        ModelRefused: there is no weight, one is not finite, or the opset cannot be raised.
        RecipeRefused: a pattern of `exclude` matches no node.
        StorageRefused: `out` cannot be written.
    """
    give_back_large_blocks()
    model = load(source)
    small = step.bits <= 4
    model = raised(model, 21 if small else 13, f"places of {4 if small else 8} bits")
    taken = taken_by_int8(model)
    excluded = select(model, step.exclude, say) | taken
    found = [weight for weight in stored.weights(model) if not excluded.intersection(weight.nodes)]
    told = chosen_tables(model, excluded) if read_int8(model) is None else []
    if not found and not told:
        raise ModelRefused(
            f"{source.name} has no floating-point weights of Conv, Gemm, MatMul or recurrent nodes to share values among"
            + (": quantize.int8 comes first and takes them" if taken else ""),
            fix="exclude less, or leave the step out",
        )
    tell_computed(model, excluded, say)
    tell_odd(told, step.bits, say)
    names = Names(model)
    before = after = coded = 0.0
    for number, weight in enumerate((*found, *told), 1):
        array = weight.array()
        values, places = codebook(array.astype(np.float32, copy=False), step.bits, weight.name)
        before += raw_bytes(weight.tensor) or array.nbytes
        coded += huffman_bits(np.bincount(places.reshape(-1), minlength=len(values))) / 8 + values.nbytes + len(values)
        if number > len(found):
            after += store(model, names, weight, IntegerRows(places, values, places=True), packs(weight, step.bits))
        else:
            after += (math.ceil(array.size / 2) if small else array.size) + values.nbytes
            _replace(model, names, weight, values.astype(array.dtype), places, small)
        say.progress(number, len(found) + len(told), "tensors")
    save_apart(model, out)
    beside = f" and {counted(len(told), 'table')}" if told else ""
    return (
        f"{counted(len(found))}{beside} with at most {2**step.bits} values each: "
        f"{before / 1e6:.2f} MB became {after / 1e6:.2f} MB, {coded / 1e6:.2f} MB with Huffman coding"
    )


def codebook(array: NDArray[np.float32], bits: int, name: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """At most 2**bits values, ascending, and for each weight the place of its own; zeros stay exact.

    Raises:
        ModelRefused: a value is infinite or not a number.
    """
    if not np.isfinite(array).all():
        raise ModelRefused(
            f"weight {name} holds values that are infinite or not numbers", fix="exclude its node, or export the model again"
        )
    flat = array.reshape(-1)
    zeros = bool(np.any(flat == 0))
    least, most = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
    distinct = np.sort(flat[:_BINS])
    if flat.size <= _BINS and len(kept := distinct[np.append(True, distinct[1:] != distinct[:-1])]) <= 2**bits:
        return kept, np.searchsorted(kept, flat).astype(np.uint8).reshape(array.shape)
    centres = np.linspace(least, most, 2**bits - zeros)
    centres = _clustered(flat, centres, least, most)
    found = np.sort(np.append(centres, 0.0) if zeros else centres).astype(np.float32)
    found = found[np.append(True, found[1:] != found[:-1])]
    places = np.searchsorted((found[1:].astype(np.float64) + found[:-1]) / 2, flat).astype(np.uint8)
    if zeros:
        places[flat == 0] = int(np.searchsorted(found, 0.0))
    return found, places.reshape(array.shape)


def _clustered(flat: NDArray[np.float32], centres: Doubles, least: float, most: float) -> Doubles:
    """Lloyd's rounds over counts and sums of values in fine steps; a centre without values stays where it is."""
    width = (most - least) / _BINS or 1.0
    counts, sums = np.zeros(_BINS), np.zeros(_BINS)
    for start in range(0, flat.size, 1 << 20):
        part = flat[start : start + (1 << 20)].astype(np.float64)
        part = part[part != 0]  # they have a place of their own
        bins = np.minimum(((part - least) / width).astype(np.int64), _BINS - 1)
        counts += np.bincount(bins, minlength=_BINS)
        sums += np.bincount(bins, weights=part, minlength=_BINS)
    total, total_sum = np.append(0, np.cumsum(counts)), np.append(0.0, np.cumsum(sums))
    for _ in range(_ROUNDS):
        ends = np.clip(np.rint(((centres[1:] + centres[:-1]) / 2 - least) / width), 0, _BINS).astype(np.int64)
        edges = np.concatenate([[0], ends, [_BINS]])
        many, values = np.diff(total[edges]), np.diff(total_sum[edges])
        fresh = np.where(many > 0, values / np.maximum(many, 1), centres)
        if np.allclose(fresh, centres, rtol=0, atol=width / 100):
            break
        centres = fresh
    return centres


def huffman_bits(counts: NDArray[np.int64]) -> int:
    """Bits that Huffman's code (1952) takes for symbols that come so often; one symbol alone takes a bit each."""
    waiting = [int(many) for many in counts if many]
    if len(waiting) == 1:
        return waiting[0]
    order = count()
    heap = [(many, next(order)) for many in waiting]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        both = heapq.heappop(heap)[0] + heapq.heappop(heap)[0]
        total += both
        heapq.heappush(heap, (both, next(order)))
    return total


def _replace(
    model: ModelProto,
    names: Names,
    weight: stored.Weight,
    values: NDArray[np.generic],
    places: NDArray[np.uint8],
    small: bool,
) -> None:
    kept, book, cast = (names.free(f"{weight.name}_{what}") for what in ("places", "values", "cast"))
    tensors = [
        numpy_helper.from_array(places.astype(uint4) if small else places, kept),
        numpy_helper.from_array(values, book),
    ]
    nodes = [
        helper.make_node("Cast", [kept], [cast], name=names.free(f"{weight.name}_as_places"), to=TensorProto.INT32),
        helper.make_node("Gather", [book, cast], [weight.name], name=names.free(f"{weight.name}_shared")),
    ]
    put_in(model, weight, nodes, tensors)
