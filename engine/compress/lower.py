"""From what a recipe asked for to what a target is fast with: the calibrated FP32 graph becomes a quantized one.

It runs once for each target on the same calibrated file: only here the targets differ.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto

from ..backends.card import Lowering
from ..backends.cards import lowerings
from ..errors import ModelRefused, UsageError, first_line, nearest
from ..graph import fused_names, metadata
from ..graph import load as files
from ..graph.external import checkable
from ..graph.weights import weights
from ..inspection.lint_tensorrt import has_half
from ..schema.steps import QuantizeWeights
from ..system.cpu import read_processor
from ..system.reporter import Reporter
from . import qdq, qdq_tensorrt, true_zeros, weights_tensorrt
from .annotations import Dynamic, Int8, raised, read_dynamic, read_fp16, read_int8
from .dynamic import insert
from .half import to_fp16
from .magnitude import counted
from .shortcut import as_convolutions
from .token_tables import chosen_tables
from .weight_only import store_all, store_tables, taken_by_int8

_MANY = 0.1
"""Share of the weights left in floats above which the file is clearly larger than 8 bits promise."""


def lower(source: Path, out: Path, target: str, say: Reporter) -> str:
    """Write the graph that `target` is fast with; returns a line of what was done.

    A model that no step marked passes through unchanged.

    Raises:
        ModelRefused: the opset is too old and cannot be raised, the marks are damaged, or the result is no valid ONNX.
        StorageRefused: the disk is full.
        UsageError: nobody knows the target.
    """
    model, line = lowered(files.load(source), source, target, say)
    files.save(model, out)
    return line


def lowered(model: ModelProto, source: Path, target: str, say: Reporter, *, narrowed: bool = False) -> tuple[ModelProto, str]:
    """As `lower`, of a model that was loaded from `source` and is used up; `narrowed`: a step took channels from its layers.

    Raises:
        ModelRefused: as `lower`.
        UsageError: as `lower`.
    """
    known = lowerings()
    if target not in known:
        raise UsageError(f"nothing is known of the target `{target}`", fix=nearest(target, known))
    lowering = known[target]
    fused = lowering.pairs == "tensorrt"
    int8, keep, wish = read_int8(model), read_fp16(model), read_dynamic(model)
    metadata.drop(model, fused_names.KEY)
    metadata.drop(model, true_zeros.KEY)
    done = []
    if wish is not None and not lowering.ranges_at_run_time:
        model, text = _weights_alone(model, wish, lowering, say)
        int8, keep, wish = read_int8(model), read_fp16(model), None
        done.append(text)
    if fused and (folded := weights_tensorrt.fold(model, everything=lowering.folds_integers)):
        who = lowering.title
        say.warn(
            f"{who} is not known to read {folded} integer weights in this form: it gets their values as floats, no smaller"
        )
        done.append(f"{folded} integer weights back in floats")
    if narrowed and int8 is None and not fused and (count := as_convolutions(model)):
        done.append(f"{count} shortcut{'' if count == 1 else 's'} as {'a convolution' if count == 1 else 'convolutions'}")
    if int8 is None and keep is None and wish is None and not done:
        return model, f"{target}: nothing to lower"
    if int8 is not None:
        beside = fused and has_half(model)
        model = raised(model, 19 if beside else 13, "half floats beside INT8" if beside else "a scale for each channel")
        int8, keep = read_int8(model) or int8, read_fp16(model)
        done.append(_quantized(model, int8, lowering, say))
        metadata.drop(model, "int8")
    if wish is not None:
        alone = any(weight.recurrent for weight in weights(model))
        model = raised(model, 13 if alone else 11, "ranges at run time")
        keep = read_fp16(model)
        wish = read_dynamic(model) or wish
        count = insert(model, wish, _weight_bits(lowering))
        metadata.drop(model, "dynamic")
        line = f"{count} nodes in integers with ranges at run time"
        excluded = set(wish.exclude)
        line += _recurrent(model, excluded, wish.per_channel, lowering, say)
        done.append(line + _tables(model, excluded, wish.per_channel, lowering, say))
    if keep is not None and lowering.half == "flag":
        done.append("FP16 by the builder's flag")
    elif keep is not None:
        why = lowering.no_half_beside_integers if int8 is not None or wish is not None else ""
        model = model if why else to_fp16(model, set(keep))
        done.append(f"the rest in FP32 ({why})" if why else "FP16")
        metadata.drop(model, "fp16")
    _check(model, source, say)
    return model, f"{target}: " + ", ".join(done)


def _quantized(model: ModelProto, annotation: Int8, lowering: Lowering, say: Reporter) -> str:
    """Insert the pairs; the line names the scheme that the target really uses."""
    excluded = set(annotation.exclude)
    ranges = dict(annotation.ranges)
    before = sum(weight.size for weight in weights(model))
    alone = _recurrent(model, excluded, annotation.per_channel, lowering, say)
    rows = _tables(model, excluded, annotation.per_channel, lowering, say)
    if lowering.pairs == "tensorrt":
        if annotation.scheme == "affine":
            # The recipe serves every backend; refusing here would make the same file useless for half of them.
            say.warn("TensorRT reads zero-point 0 only: the affine scheme was lowered as symmetric int8 over the same ranges")
        count = qdq_tensorrt.insert(model, ranges, excluded, annotation.per_channel)
        line = f"{count} nodes in symmetric int8"
    else:
        settings = _settings(annotation, lowering)
        if annotation.per_channel and not settings.per_channel and lowering.one_scale:
            say.note(f"affine weights get one scale a tensor, {lowering.one_scale}")
        count = qdq.insert(model, ranges, excluded, settings)
        line = f"{count} nodes in {settings.activations} with {settings.weight_bits}-bit weights"
        if count:
            _tell_left(model, before, excluded, lowering.title, say)
    if not count and not alone:
        raise ModelRefused(
            f"{lowering.title} can compute no node of the calibrated model in integers",
            fix="use `quantize.weights` instead of `quantize.int8`",
        )
    return line + alone + rows


def _recurrent(model: ModelProto, excluded: set[str], per_channel: bool, lowering: Lowering, say: Reporter) -> str:
    """Make 8-bit integers of the weights of recurrent nodes, for which no lowering has integer products; what to say of it."""
    found = [weight for weight in weights(model) if weight.recurrent and not excluded.intersection(weight.nodes)]
    if not found:
        return ""
    operators = ", ".join(sorted({operator for weight in found for operator in weight.operators}))
    if lowering.pairs == "tensorrt":
        say.warn(f"{len(found)} weights of {operators} stay in floats: {lowering.title} is not known to have integers for them")
        return ""
    count = store_all(model, excluded, _in_8_bits(per_channel), recurrent=True)
    say.warn(f"{operators} is computed in floating point, its weights alone are 8-bit integers: smaller, and no faster")
    return f", {count} weights of {operators} alone in 8 bits"


def _tables(model: ModelProto, excluded: set[str], per_channel: bool, lowering: Lowering, say: Reporter) -> str:
    """Make 8-bit integers of tables that ids choose rows of; what to say of it."""
    if lowering.pairs == "tensorrt":
        left = chosen_tables(model, excluded)
        if left:
            names = ", ".join(table.name for table in left)
            say.warn(f"tables of tokens stay in floats ({names}): {lowering.title} is not known to take rows of integers")
        return ""
    count, _, _ = store_tables(model, excluded, _in_8_bits(per_channel), say)
    return f", {counted(count, 'table')} in 8 bits" if count else ""


def _in_8_bits(per_channel: bool) -> QuantizeWeights:
    return QuantizeWeights(grouping="channel" if per_channel else "tensor")


def _tell_left(model: ModelProto, before: int, excluded: set[str], who: str, say: Reporter) -> None:
    """Say which weights are floats still that nobody excluded; a warning where they are many of the `before` weights."""
    left = [weight for weight in weights(model) if not excluded.intersection(weight.nodes)]
    if left:
        operators = ", ".join(sorted({operator for weight in left for operator in weight.operators}))
        count = sum(weight.size for weight in left)
        tell = say.warn if count > _MANY * before else say.note
        tell(f"{len(left)} weights ({4 * count / 1e6:.2f} MB) of {operators} stay in floats: no integer kernel of {who} fits")


def _settings(annotation: Int8, lowering: Lowering) -> qdq.QdqSettings:
    """What is fast on ONNX Runtime's CPU kernels (MLAS).

    x86: unsigned activations, signed weights: VPDPBUSD multiplies just those. Without VNNI, VPMADDUBSW does, and saturates, so
    that weights get 7 bits (onnxruntime.ai, "Quantize ONNX models": when to use reduce_range).
    Arm: signed ones: SDOT and the symmetric convolution kernels take int8 x int8 directly, while uint8 x int8 is flipped on the
    way (microsoft/onnxruntime pull requests 9902, 9772 and 9655).
    Affine weights have one scale for a tensor, as in the paper: QLinearConv of ONNX Runtime 1.23 refuses zero-points that
    differ between channels.
    PyTorch gets the same pairs and computes them in floating point, where nothing saturates and no channel needs filling.
    """
    affine = annotation.scheme == "affine"
    return qdq.QdqSettings(
        activations="int8" if lowering.signed else "uint8",
        affine=affine,
        per_channel=annotation.per_channel and not affine,
        weight_bits=_weight_bits(lowering),
        fill_channels=not lowering.exact,
    )


def _weight_bits(lowering: Lowering) -> int:
    return 8 if lowering.exact or read_processor().multiplies_bytes_exactly else 7


def _weights_alone(model: ModelProto, wish: Dynamic, lowering: Lowering, say: Reporter) -> tuple[ModelProto, str]:
    """What is left of `quantize.dynamic` where nothing finds ranges at run time: weights in 8 bits, products in floats."""
    say.warn(f"{lowering.title} has no ranges at run time: weights alone are 8-bit integers, products stay in floating point")
    model = raised(model, 13, "a scale for each channel")
    wish = read_dynamic(model) or wish
    taken = taken_by_int8(model) | set(wish.exclude)
    count = store_all(model, taken, _in_8_bits(wish.per_channel))
    done = _tables(model, taken, wish.per_channel, lowering, say) if read_int8(model) is None else ""
    metadata.drop(model, "dynamic")
    return model, f"{count} weights in 8 bits{done}"


def _check(model: ModelProto, source: Path, say: Reporter) -> None:
    """Refuse a graph that lowering made invalid; one that was so before is the backend's to judge."""
    fault = _fault(model)
    if fault and _fault(files.load(source)):
        say.warn(f"ONNX's checker objects to this model, lowered or not: {fault}")
    elif fault:
        raise ModelRefused(f"lowering {source.name} gave an invalid graph ({fault})", fix="export the model again")


def _fault(model: ModelProto) -> str:
    try:
        onnx.checker.check_model(checkable(model))
    except onnx.checker.ValidationError as error:
        return first_line(error)
    except ValueError:
        # Past 2 GB the checker cannot serialize the model; the backend checks it when it builds.
        return ""
    return ""
