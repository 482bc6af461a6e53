"""The first change to any model: one plain form that every later step can rely on.

Everything after it assumes what it makes: fixed shapes, inputs that are inputs, every node named once, constants
folded, batch norms in their convolutions, metadata that traces where the exporter ran gone. The opset stays.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
from onnx import ModelProto, helper

from ..errors import ModelRefused, first_line
from ..system.reporter import NullReporter, Reporter
from .constants import PLAIN_IR, write_out
from .external import LARGEST_IN_MEMORY, checkable, size_of, skeleton
from .fill_sizes import spoiled
from .fold import FoldFailed, fold
from .fused_names import Before
from .load import load, load_with_calls, save, save_apart
from .metadata import drop
from .open_batch import OpenBatch
from .shapes import Shapes, declared, fix_inputs, inferred, input_shapes
from .walk import graphs, nodes, opset, real_inputs


def normalise(path: Path, out: Path, shapes: Shapes, say: Reporter) -> str:
    """Write the normal form of the model at `path` to `out`; returns what was done, in a line.

    The names and the order of inputs and outputs stay, and so do the outputs' values within float rounding. Where ONNX Runtime
    refuses the model with settled axes and takes it as it came, they stay open.

    Raises:
        ModelRefused: the file is broken, or a dynamic axis has no length.
        StorageRefused: `out` cannot be written.
    """
    line = _normal(path, out, shapes, say)
    if not spoiled(path, out):
        return line
    again = NullReporter()  # what it would warn of was said
    line = _normal(path, out, shapes, again, fixed=False)
    if spoiled(path, out):
        _settled(path, out, shapes, fixed=False)
        line = "nothing folded"
    say.note("dynamic axes are not fixed: with fixed ones ONNX Runtime refuses the model, in a branch that may never be taken")
    return f"axes left as they are, {line}"


def _normal(path: Path, out: Path, shapes: Shapes, say: Reporter, *, fixed: bool = True) -> str:
    model, calls = load_with_calls(path)
    settled = input_shapes(model, shapes) if fixed else {}
    before = Counter(node.op_type for node in nodes(model))
    done = _plain(model, settled)
    as_it_came, batch = Before(model, calls), OpenBatch(model)
    written = write_out(model)
    say.progress(1, 3, "folding constants and batch norms")
    model = _folded(model, as_it_came, say)
    written += write_out(model)
    if written:
        done.append(f"{written} computed constants and dropouts written out")
    batch.restore(model)
    say.progress(2, 3, "shapes")
    _settle_outputs(model)
    as_it_came.leave_origins(model)
    _check(model, say)
    save_apart(model, out, shared=False)
    say.progress(3, 3, "written")
    after = Counter(node.op_type for node in nodes(model))
    fused = before["BatchNormalization"] - after["BatchNormalization"]
    if fused > 0:
        done.append(f"{fused} batch norms fused")
    if before != after:
        done.append(f"{before.total()} nodes became {after.total()}")
    return ", ".join(done) or "nothing to do"


def fix_shapes_only(path: Path, out: Path, shapes: Shapes) -> None:
    """Write the model with its axes settled and its initializers out of the inputs, and nothing else changed: the baseline.

    A backend cannot fold an initializer that a caller might override; left among the inputs, the baseline would be slower for
    that alone, and a recipe would be praised for what any export of today does.

    Raises:
        ModelRefused: as `normalise`.
        StorageRefused: `out` cannot be written.
    """
    _settled(path, out, shapes)
    if spoiled(path, out):
        _settled(path, out, shapes, fixed=False)


def _settled(path: Path, out: Path, shapes: Shapes, *, fixed: bool = True) -> None:
    model = load(path)
    _plain(model, input_shapes(model, shapes) if fixed else {})
    save(model, out)


def _plain(model: ModelProto, settled: dict[str, tuple[int, ...]]) -> list[str]:
    """Edits that need no library; returns them in words."""
    done: list[str] = []
    dynamic = [value.name for value in model.graph.input if value.name in settled and declared(value) != settled[value.name]]
    fix_inputs(model, settled)
    if dynamic:
        done.append("fixed " + ", ".join(f"{name} to {'x'.join(map(str, settled[name])) or 'a scalar'}" for name in dynamic))
    names = set(real_inputs(model.graph))
    kept = [value for value in model.graph.input if value.name in names]
    if len(kept) < len(model.graph.input):
        done.append(f"{len(model.graph.input) - len(kept)} initializers out of the inputs")
        del model.graph.input[:]
        model.graph.input.extend(kept)
    model.ir_version = max(model.ir_version, PLAIN_IR, _least_ir(model))
    _name_nodes(model)
    if drop(model):  # or its ranges and its wish for half precision would be lowered with what this recipe asks for
        done.append("marks of an earlier run removed")
    for graph in graphs(model.graph):
        graph.ClearField("doc_string")
        for part in [*graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output]:
            part.ClearField("doc_string")
            part.ClearField("metadata_props")
    return done


def _least_ir(model: ModelProto) -> int:
    return int(helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True))


def _name_nodes(model: ModelProto) -> None:
    """Give every node a name that no other has: recipes and reports mean nodes by name."""
    taken = Counter(node.name for node in nodes(model))
    for index, node in enumerate(nodes(model)):
        if node.name and taken[node.name] == 1:
            continue
        stem = name = f"{node.name or node.op_type}_{index}"
        while taken[name]:
            name = f"{stem}_"
            stem = name
        taken[name] += 1
        node.name = name


def _folded(model: ModelProto, as_it_came: Before, say: Reporter) -> ModelProto:
    """Constants folded and batch norms fused by onnxscript's optimizer, or the model as it is where that trips."""
    if size_of(model) > LARGEST_IN_MEMORY:
        say.warn("the model is too large for folding constants and batch norms; it goes on as it is")
        return model
    light, sound = skeleton(model, smallest=0), not _objection(model)  # a skeleton without data is sound to no checker
    try:
        better = fold(model)
    except FoldFailed as error:
        say.warn(f"constants and batch norms were not folded ({error})")
        return model
    fault = _fault(light, better, sound)
    if fault:
        say.warn(f"constants and batch norms were not folded ({fault})")
        return model
    as_it_came.restore_names(better)
    _name_nodes(better)
    for graph in graphs(better.graph):
        kept = [value for value in graph.value_info if as_it_came.made_abroad(value.name)]
        del graph.value_info[:]
        graph.value_info.extend(kept)
        for node in graph.node:
            node.ClearField("metadata_props")
    return better


def _fault(before: ModelProto, after: ModelProto, sound: bool) -> str:
    """Why the optimizer's result cannot stand for the model; empty when it can. sound: ONNX's checker passed the model."""
    for kind, old, new in (
        ("inputs", before.graph.input, after.graph.input),
        ("outputs", before.graph.output, after.graph.output),
    ):
        if [value.name for value in old] != [value.name for value in new]:
            return f"the optimizer changed the {kind}"
        if [value.type.tensor_type.elem_type for value in old] != [value.type.tensor_type.elem_type for value in new]:
            return f"the optimizer changed the types of the {kind}"
    if opset(before) != opset(after):
        return "the optimizer changed the opset"
    objection = _objection(after) if sound else ""
    return f"the optimizer made an invalid graph: {objection}" if objection else ""


def _objection(model: ModelProto) -> str:
    """What ONNX's checker says against a model; empty: nothing."""
    try:
        onnx.checker.check_model(checkable(model))
    except (onnx.checker.ValidationError, ValueError) as error:
        return first_line(error)
    return ""


def _settle_outputs(model: ModelProto) -> None:
    """Write inferred shapes into the outputs where they are known."""
    for value, known in zip(model.graph.output, inferred(model, {}).graph.output, strict=True):
        shape = declared(known)
        if shape is not None and None not in shape:
            value.type.CopyFrom(known.type)


def _check(model: ModelProto, say: Reporter) -> None:
    """Say what ONNX's checker objects to; only the backend can tell whether it runs all the same."""
    if size_of(model) > LARGEST_IN_MEMORY:
        return
    try:
        onnx.checker.check_model(checkable(model))
    except onnx.checker.ValidationError as error:
        say.warn(f"ONNX's checker objects to this model: {first_line(error)}")
    except ValueError as error:
        raise ModelRefused(f"the model is not a valid graph ({error})", fix="export it again") from error
