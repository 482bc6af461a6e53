"""From what a recipe asked for to what a target is fast with: the calibrated FP32 graph becomes a quantized one.

Apart because it runs once for each target on the same calibrated file, and because only here the targets differ.
"""

from __future__ import annotations

import platform
from pathlib import Path

import onnx
from onnx import ModelProto

from ..errors import ModelRefused, UsageError, nearest
from ..graph import fused, metadata
from ..graph import load as files
from ..graph.lint_tensorrt import has_half
from ..graph.weights import weights
from ..say import Say
from . import qdq, qdq_tensorrt, weights_tensorrt
from .half import to_fp16
from .wishes import Int8, raised, read_fp16, read_int8

TARGETS = ("onnxruntime-x86", "onnxruntime-arm", "tensorrt", "tensorrt-flags", "torch")
"""`tensorrt-flags`: before TensorRT 10, where builder flags say FP16 and the wish for it stays in the file."""

_MANY = 0.1
"""Share of the weights left in floats above which the file is clearly larger than 8 bits promise."""


def lower(source: Path, out: Path, target: str, say: Say) -> str:
    """Write the graph that `target` is fast with; returns a line of what was done.

    A model that no step marked passes through unchanged.

    Raises:
        ModelRefused: the opset is too old and cannot be raised, the marks are damaged, or the result is no valid ONNX.
        StorageRefused: the disk is full.
        UsageError: nobody knows the target.
    """
    if target not in TARGETS:
        raise UsageError(f"nothing is known of the target `{target}`", fix=nearest(target, TARGETS))
    model = files.load(source)
    int8, keep = read_int8(model), read_fp16(model)
    metadata.drop(model, fused.KEY)
    done = []
    if target.startswith("tensorrt") and (folded := weights_tensorrt.fold(model, everything=target == "tensorrt-flags")):
        say.warn(f"TensorRT cannot read {folded} integer weights in this form: it gets their values as floats, no smaller")
        done.append(f"{folded} integer weights back in floats")
    if int8 is None and keep is None and not done:
        files.save(model, out)
        return f"{target}: nothing to lower"
    if int8 is not None:
        beside = target.startswith("tensorrt") and has_half(model)
        model = raised(model, 19 if beside else 13, "half floats beside INT8" if beside else "a scale for each channel")
        int8, keep = read_int8(model) or int8, read_fp16(model)
        done.append(_quantized(model, int8, target, say))
        metadata.drop(model, "int8")
    if keep is not None and target == "tensorrt-flags":
        done.append("FP16 by the builder's flag")
    elif keep is not None:
        model, line = _halved(model, keep, target, int8 is not None)
        done.append(line)
        metadata.drop(model, "fp16")
    _check(model, source, say)
    files.save(model, out)
    return f"{target}: " + ", ".join(done)


def _quantized(model: ModelProto, wish: Int8, target: str, say: Say) -> str:
    """Insert the pairs; the line names the scheme that the target really uses."""
    excluded = set(wish.exclude)
    ranges = dict(wish.ranges)
    before = sum(weight.size for weight in weights(model))
    if target.startswith("tensorrt"):
        if wish.scheme == "affine":
            # The recipe serves every backend; refusing here would make the same file useless for half of them.
            say.warn("TensorRT reads zero-point 0 only: the affine scheme was lowered as symmetric int8 over the same ranges")
        count = qdq_tensorrt.insert(model, ranges, excluded, wish.per_channel)
        line = f"{count} nodes in symmetric int8"
    else:
        settings = _settings(wish, target)
        if wish.per_channel and not settings.per_channel:
            why = (
                "as in the paper"
                if target == "torch"
                else "for ONNX Runtime 1.23 has no kernel for a zero-point in each channel"
            )
            say.note(f"affine weights get one scale a tensor, {why}")
        count = qdq.insert(model, ranges, excluded, settings)
        line = f"{count} nodes in {settings.activations} with {settings.weight_bits}-bit weights"
    who = "TensorRT" if target.startswith("tensorrt") else "PyTorch" if target == "torch" else "ONNX Runtime"
    if count and not target.startswith("tensorrt"):
        _tell_left(model, before, excluded, who, say)
    if not count:
        raise ModelRefused(
            f"{who} can compute no node of the calibrated model in integers",
            fix="use `quantize.weights` instead of `quantize.int8`",
        )
    return line


def _tell_left(model: ModelProto, before: int, excluded: set[str], who: str, say: Say) -> None:
    """Say which weights are floats still that nobody excluded; a warning where they are many of the `before` weights."""
    left = [weight for weight in weights(model) if not excluded.intersection(weight.nodes)]
    if left:
        operators = ", ".join(sorted({operator for weight in left for operator in weight.operators}))
        count = sum(weight.size for weight in left)
        tell = say.warn if count > _MANY * before else say.note
        tell(f"{len(left)} weights ({4 * count / 1e6:.2f} MB) of {operators} stay in floats: no integer kernel of {who} fits")


def _settings(wish: Int8, target: str) -> qdq.Settings:
    """What is fast on ONNX Runtime's CPU kernels (MLAS).

    x86: unsigned activations, signed weights: VPDPBUSD multiplies just those. Without VNNI, VPMADDUBSW does, and saturates, so
    that weights get 7 bits (onnxruntime.ai, "Quantize ONNX models": when to use reduce_range).
    Arm: signed ones: SDOT and the symmetric convolution kernels take int8 x int8 directly, while uint8 x int8 is flipped on the
    way (microsoft/onnxruntime pull requests 9902, 9772 and 9655).
    Affine weights have one scale for a tensor, as in the paper: QLinearConv of ONNX Runtime 1.23 refuses zero-points that
    differ between channels.
    PyTorch gets the same pairs and computes them in floating point, where nothing saturates and no channel needs filling.
    """
    arm, real = target == "onnxruntime-arm", target == "torch"
    affine = wish.scheme == "affine"
    bits = 8 if arm or real or multiplies_bytes_exactly() else 7
    return qdq.Settings(
        activations="int8" if arm else "uint8",
        affine=affine,
        per_channel=wish.per_channel and not affine,
        weight_bits=bits,
        fill_channels=not (arm or real),
    )


def multiplies_bytes_exactly(cpuinfo: Path = Path("/proc/cpuinfo"), machine: str = "") -> bool:
    """True where uint8 x int8 products do not saturate: x86 with VNNI or AMX, and whatever is no x86 at all.

    `machine` is what uname calls it; empty: this one. Where it does not say its flags, x86 is taken to be without.
    """
    if (machine or platform.machine()) not in ("x86_64", "AMD64", "i686"):
        return True
    try:
        words = set(cpuinfo.read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return False
    return bool(words & {"avx512_vnni", "avx_vnni", "amx_int8"})


def _halved(model: ModelProto, keep: tuple[str, ...], target: str, integers: bool) -> tuple[ModelProto, str]:
    if integers and target == "torch":
        return model, "the rest in FP32 (pairs are computed in it)"
    if integers and target != "tensorrt":
        # Its integer kernels read float32 scales only; halving the rest would put casts around every one of them.
        return model, "the rest in FP32 (its integer kernels have no FP16 beside them)"
    return to_fp16(model, set(keep)), "FP16"


def _check(model: ModelProto, source: Path, say: Say) -> None:
    """Refuse a graph that lowering made invalid; one that was so before is the backend's to judge."""
    fault = _fault(model)
    if fault and _fault(files.load(source)):
        say.warn(f"ONNX's checker objects to this model, lowered or not: {fault}")
    elif fault:
        raise ModelRefused(f"lowering {source.name} gave an invalid graph ({fault})", fix="export the model again")


def _fault(model: ModelProto) -> str:
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        return str(error).strip().partition("\n")[0][:200]
    except ValueError:
        # Past 2 GB the checker cannot serialize the model; the backend checks it when it builds.
        return ""
    return ""
