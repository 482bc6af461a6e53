"""A model in which one unit alone is changed as a step changes all of them.

A step that only leaves wishes in the model (ranges, half precision) is done once, over the whole model: each unit's own model
is then lowered with every other node left out. A step that changes weights is done to each unit, with all others spared.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec
from onnx import ModelProto

from ..graph.select import select
from ..graph.walk import is_onnx
from ..schema.step import Step
from ..schema.steps import changed
from ..system.reporter import Reporter
from .annotations import read_dynamic, read_fp16, read_int8, write_dynamic, write_fp16, write_int8
from .lower import lowered
from .view import View, clip_limits, moves


def leaves_wishes(model: ModelProto) -> bool:
    """Whether a step left only wishes in the model, for `lower`."""
    return any(wish is not None for wish in (read_int8(model), read_fp16(model), read_dynamic(model)))


def with_moved_ranges(model: ModelProto) -> None:
    """Give what only moves or clips the values of a tensor with a range that range too.

    Where all nodes are integer, such tensors lie on the grid of what they come from and none of their own is asked for; one
    that alone is integer begins at them.
    """
    wish = read_int8(model)
    if wish is None:
        return
    view, ranges = View(model), dict(wish.ranges)
    for node in view.graph.node:
        follows = is_onnx(node) and bool(node.input) and node.input[0] in ranges
        clips = follows and node.op_type in ("Relu", "Clip") and clip_limits(view, node) is not None
        if follows and (clips or moves(view, node)):
            for name in filter(None, node.output):
                ranges.setdefault(name, ranges[node.input[0]])
    write_int8(model, msgspec.structs.replace(wish, ranges=ranges))


def narrowed(model: ModelProto, spared: AbstractSet[str]) -> None:
    """Let the wishes in a model be for all nodes but those in `spared` as well, labels of nodes."""
    int8, keep, dynamic = read_int8(model), read_fp16(model), read_dynamic(model)
    if int8 is not None:
        write_int8(model, msgspec.structs.replace(int8, exclude=tuple(sorted(spared | set(int8.exclude)))))
    if keep is not None:
        write_fp16(model, spared | set(keep))
    if dynamic is not None:
        write_dynamic(model, msgspec.structs.replace(dynamic, exclude=tuple(sorted(spared | set(dynamic.exclude)))))


def alone(done: ModelProto, source: Path, spared: AbstractSet[str], target: str, say: Reporter) -> ModelProto:
    """The model in which a step that leaves wishes is done to all but `spared`, as `target` computes it.

    done: loaded from `source`, with the step done to all of it; it stays as it is.

    Raises:
        ModelRefused: nothing of it is changed then, or lowering is refused.
    """
    copy = ModelProto()
    copy.CopyFrom(done)
    narrowed(copy, spared)
    return lowered(copy, source, target, say)[0]


def sparing(step: Step, model: ModelProto, spared: AbstractSet[str]) -> Step:
    """The step with further nodes in the field that names what it leaves as it is."""
    kept = set(getattr(step, step.sparing))
    return changed(step, step.sparing, sorted(select(model, kept) | spared))
