"""Where a candidate's outputs are ruined: the first node whose output noise drowns, and the warning. Part of the pipeline.

Apart from `verify_outputs.py`, which compares plans as their backends run them: here ONNX Runtime looks inside the graph
they were built from, node by node, on a few samples, and only where the outputs are ruined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from ..advice.remedies import advice
from ..errors import EdgetuiError
from ..measure.ruin import LEAST_DB, Ruin, Ruined
from ..runs.outcome import Outcome
from ..system.reporter import Reporter
from .verify_outputs import outputs_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    from ..schema.step import Step

    Feeds = Mapping[str, NDArray[np.generic]]

LOOKED_INTO = 4
"""Samples that the graph is looked into with."""
_TAKES_PARTS = frozenset({"Split", "Slice", "Gather", "GatherElements", "GatherND"})
"""What one of these gives was ruined before it, as a part of something larger."""
_ELEMENTS = 8_000_000
"""Elements of tensors observed at once: 64 MB of both sides in FP32."""


class BrokenTensor(NamedTuple):
    """A tensor inside the graph."""

    node: str
    """Label of the node that makes it; empty: an input of the model."""
    operator: str
    tensor: str
    sqnr_db: float
    nodes: tuple[str, ...] = ()
    """Without whose integers it stays in floating point: those that make and read it, or whose weights made it so."""


def warned(
    made: Outcome,
    ruin: Ruin,
    within: tuple[Path, ...],
    feeds: Iterable[Feeds],
    samples: int,
    steps: Sequence[Step],
    say: Reporter,
    *,
    labelled: bool = False,
) -> Outcome:
    """`made` with what is ruined on so many samples, which is warned of; `made` itself where nothing is.

    within: the graph before and after the recipe's `steps`, with the same names. feeds: a few samples, read only for ruins.
    labelled: labels will tell how right the outputs are. What was learnt is judged by them, and not by how far it is from the
    original: ResNet-20 with 4-bit weights is 5.2 dB from it after three epochs, and 1.8 points better.
    """
    found = ruin.found()
    if not found:
        return made
    if labelled and any(step.learns for step in steps):
        say.note(f"training moved outputs to {found[0].sqnr_db:.1f} dB from the original's; labels tell how right they are")
        return made
    text = sentence(found, within[0], within[1], list(feeds), samples, steps)
    say.warn(text)
    return structs.replace(made, fidelity=structs.replace(made.fidelity, ruined=text))


def judged(
    made: Outcome, original: Path, lowered: Path, feeds: Sequence[Feeds], samples: int, steps: Sequence[Step], say: Reporter
) -> Outcome:
    """As `warned`, of what ONNX Runtime computes with the file `original`, which has the graph before the steps beside it, and
    with the graph after them.
    """
    ruin = Ruin(outputs_of(original))
    try:
        tried(original, lowered, feeds, ruin)
    except EdgetuiError as error:
        say.note(f"ONNX Runtime cannot try the lowered model here: {error.what}")
        return made
    within = (original.with_name("model.onnx"), lowered)
    return warned(made, ruin, within, feeds[:LOOKED_INTO], samples, steps, say)


def sentence(
    ruined: Sequence[Ruined], original: Path, lowered: Path, feeds: Sequence[Feeds], samples: int, steps: Sequence[Step]
) -> str:
    """What is ruined on so many samples, where it begins, and what may mend it; empty when nothing is.

    `original` and `lowered` are the graph before and after the recipe's `steps`, with the same names; `feeds` a few samples.
    """
    if not ruined:
        return ""
    worst = ruined[0]
    where = f"{worst.slice} of {worst.output}" if worst.slice else worst.output
    others = f" (and {len(ruined) - 1} more)" if len(ruined) > 1 else ""
    text = f"the outputs are ruined: SQNR of {where}{others} is {worst.sqnr_db:.1f} dB on {samples} samples"
    try:
        first = first_broken(original, lowered, feeds, slices=bool(worst.slice))
    except EdgetuiError as error:
        return f"{text}; where it begins cannot be told ({error.what})"
    if first is None:
        return f"{text}; no node alone is under {LEAST_DB:g} dB: {advice(steps)}"
    if not first.node:
        return f"{text}; it begins at the input {first.tensor} ({first.sqnr_db:.1f} dB): {advice(steps, first.nodes)}"
    return (
        f"{text}; it breaks first at node {first.node} ({first.operator}, {first.sqnr_db:.1f} dB): "
        f"{advice(steps, first.nodes, first.node)}"
    )


def tried(original: Path, lowered: Path, feeds: Sequence[Feeds], ruin: Ruin) -> None:
    """Give `ruin` the outputs of both files on `feeds`, as ONNX Runtime computes them; of what it can compute of them.

    Raises:
        EdgetuiError: it cannot run one of the two.
    """
    from ..backends.onnxruntime.adapter import OnnxRuntime
    from ..graph.computable_part import computable_file
    from ..schema.settings import BackendSettings

    with TemporaryDirectory(prefix="edgetui-") as near, ExitStack() as stack:
        sides = []
        for path in (original, lowered):
            part, _ = stack.enter_context(computable_file(path, Path(near)))
            sides.append(OnnxRuntime().load(part, BackendSettings(graph="basic"), cooperative=True))
            stack.callback(sides[-1].close)
        for one in feeds:
            ruin.add(sides[0].run(one), sides[1].run(one))


def first_broken(original: Path, lowered: Path, feeds: Sequence[Feeds], *, slices: bool = False) -> BrokenTensor | None:
    """The first tensor, in the graph's order, that is ruined on `feeds`: inputs as they are read, then what nodes make.

    `slices`: kinds of channels count as well. None: there is none.

    Raises:
        ModelRefused, DataRefused: ONNX Runtime cannot run one of the two.
    """
    from ..graph.computable_part import computable_file

    with TemporaryDirectory(prefix="edgetui-") as near, ExitStack() as stack:
        before, after = (stack.enter_context(computable_file(path, Path(near)))[0] for path in (original, lowered))
        found = _first_broken(before, after, feeds, slices)
        if found is not None and not slices and found.operator in _TAKES_PARTS:
            found = _first_broken(before, after, feeds, slices=True) or found
        return found


def _first_broken(original: Path, lowered: Path, feeds: Sequence[Feeds], slices: bool) -> BrokenTensor | None:
    from ..compress.observe import ModelOnDisk, Values
    from ..graph.load import parse
    from ..graph.output_meaning import Meaning
    from ..graph.walk import label, real_inputs

    before, after = parse(original), parse(lowered)
    makers = {name: node for node in before.graph.node for name in node.output if name}
    made = {name for node in after.graph.node for name in node.output}
    read = {node.output[0] for node in after.graph.node if node.op_type == "DequantizeLinear"}
    pairs = {node.input[0]: node for node in after.graph.node if node.op_type == "QuantizeLinear"}
    # As `compress.half` and `compress.qdq` call them; the latter where all that reads a tensor reads its integers.
    spellings = {name: (name, f"{name}_fp16", f"{name}_float") for name in makers}
    stands = {name: other for name, others in spellings.items() for other in reversed(others) if other in made}
    for name in real_inputs(before.graph):
        stands.update((name, other) for other in (f"{name}_fp16", name) if other in pairs)
    names = [name for name in (*real_inputs(before.graph), *makers) if name in stands]
    for group in _groups(before, names):
        ruin = Ruin(dict.fromkeys(group, Meaning()), slices=slices)  # small values inside decide as much as large ones
        sides = Values(ModelOnDisk(original), group), Values(ModelOnDisk(lowered), [stands[name] for name in group], pairs)
        for one in feeds:
            a, b = (dict(zip(group, side.run(one), strict=True)) for side in sides)
            ruin.add(a, b)
        ruined = {found.output: found for found in ruin.found()}
        for name in group:
            if name in ruined:
                maker = makers.get(name)
                node, operator = (label(maker), maker.op_type) if maker is not None else ("", "")
                nodes = _around(before, name, integers=stands[name] in pairs or stands[name] in read)
                return BrokenTensor(node, operator, name, ruined[name].sqnr_db, nodes)
    return None


def _around(model: ModelProto, tensor: str, *, integers: bool) -> tuple[str, ...]:
    """The nodes that make and read a tensor; where it is not in `integers` itself, the nearest before it that have weights."""
    from ..graph.walk import label
    from ..graph.weights import weights

    makers = {name: node for node in model.graph.node for name in node.output if name}
    if integers:
        readers = [node for node in model.graph.node if tensor in node.input]
        return tuple(dict.fromkeys(label(node) for node in (*filter(None, [makers.get(tensor)]), *readers)))
    weighty = {name for weight in weights(model) for name in weight.nodes}
    front, seen = {tensor}, set[str]()
    while front:
        nodes = [makers[name] for name in front if name in makers]
        if found := [label(node) for node in nodes if label(node) in weighty]:
            return tuple(found)
        seen |= front
        front = {name for node in nodes for name in node.input if name} - seen
    return ()


def _groups(model: ModelProto, names: Sequence[str]) -> Iterator[list[str]]:
    """Float tensors in order, as many at once as memory bears."""
    from math import prod

    from onnx import TensorProto

    from ..graph.shapes import declared, inferred, settled_part

    graph = inferred(model, settled_part(model, {})).graph
    known = {value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}
    group: list[str] = []
    elements = 0
    for name in names:
        if name not in known or known[name].type.tensor_type.elem_type != TensorProto.FLOAT:
            continue
        size = prod(axis if isinstance(axis, int) else 1 for axis in declared(known[name]) or ())
        if group and elements + size > _ELEMENTS:
            yield group
            group, elements = [], 0
        group.append(name)
        elements += size
    if group:
        yield group
