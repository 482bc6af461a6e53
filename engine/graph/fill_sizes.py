"""Whether settling a model's axes made it one that ONNX Runtime refuses.

Only the runtime knows: its inference follows a known shape into every branch, also into one that is never taken
with it (that for another sampling rate), and gives up there. With its axes open it runs the same model.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from onnx import ModelProto

from .load import load, parse, save
from .shapes import Shapes, declared, fix_inputs, settled_part
from .walk import bodies, called


def spoiled(before: Path, after: Path) -> bool:
    """Whether ONNX Runtime takes the model at `before` better than what was made of it, `after`.

    Asked only where bodies are: every other node is computed, and a shape that does not fit it does not fit at all.
    """
    model = parse(after)
    outer = [*model.graph.node, *(node for function in called(model) for node in function.node)]
    return any(any(bodies(node)) for node in outer) and (rank := _rank(after)) < 2 and rank < _rank(before)


def _rank(path: Path) -> int:
    """2: ONNX Runtime loads it; 1: only without its optimizer, which infers once more; 0: not at all."""
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    for rank, level in ((2, levels.ORT_ENABLE_ALL), (1, levels.ORT_DISABLE_ALL)):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        options.graph_optimization_level = level
        with suppress(Exception):  # its exceptions have no common base of their own
            onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            return rank
    return 0


def with_sizes(path: Path, shapes: Shapes, out: Path) -> Path:
    """`path` where its inputs have these sizes; else `out`, to which the model is written with them: for backends that need
    them where axes were left open.

    Raises:
        ModelRefused: it cannot be read.
        StorageRefused: it cannot be written.
    """
    if _has(parse(path), shapes):
        return path
    model = load(path)
    give_sizes(model, shapes)
    save(model, out)
    return out


def give_sizes(model: ModelProto, shapes: Shapes) -> None:
    """Give the inputs of a model these sizes, where they do not have them."""
    if not _has(model, shapes):
        fix_inputs(model, settled_part(model, shapes))


def _has(model: ModelProto, shapes: Shapes) -> bool:
    return all(declared(value) == tuple(shapes[value.name]) for value in model.graph.input if value.name in shapes)
