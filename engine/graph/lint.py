"""What a backend would refuse of a model, and what it would read but be slow with, before minutes are spent on trying.

Apart because it must work where the backend is not installed: TensorRT's rules come from its parser's table of operators
(onnx-tensorrt, docs/operators.md) and from its parser's own answers.
"""

from __future__ import annotations

from onnx import ModelProto, NodeProto

from ..errors import UsageError, nearest
from . import lint_onnxruntime, lint_tensorrt, lint_torch
from .plugins import foreign_plugins
from .walk import ELSEWHERE, is_onnx, label, nodes, real_inputs
from .wiring import faults

TARGETS = ("onnxruntime", "tensorrt", "torch")
_ELSEWHERE = {"onnxruntime": "onnxruntime", "torch": "torch", "tensorrt": "tensorrt on a board, which has TensorRT itself"}
"""Advice for a model that one backend refuses and another reads; the first that reads it is named."""


def lint(model: ModelProto, target: str) -> list[str]:
    """What `target` refuses: a sentence each, with the node and what mends it; empty: reads it.

    `target`: one of TARGETS; or `tensorrt-flags`, a TensorRT before 10 (`compress.lower.TARGETS`), or `tensorrt-rtx`, which
    reads less than TensorRT itself.

    Raises:
        UsageError: nobody knows the target.
    """
    found = _refusals(model, target)
    if not any(ELSEWHERE in line for line in found):
        return found
    way = elsewhere(model, target)
    return [line.replace(ELSEWHERE, way) for line in found]


def elsewhere(model: ModelProto, target: str) -> str:
    """What to add to advice where `target` refused a model: a backend that reads it; empty: there is none."""
    related = {"tensorrt", "tensorrt-flags"} if target in ("tensorrt", "tensorrt-flags") else {target}
    order = sorted(_ELSEWHERE, key=lambda other: other != "tensorrt") if target == "tensorrt-rtx" else _ELSEWHERE
    found = next((other for other in order if other not in related and not _refusals(model, other)), "")
    plugins = foreign_plugins(model) if found == "tensorrt" else []
    needed = f", and LD_PRELOAD the library of the plugin {', '.join(plugins)}" if plugins else ""
    return f", or run with --backend {_ELSEWHERE[found]}{needed}" if found else ""


def _refusals(model: ModelProto, target: str) -> list[str]:
    if target == "onnxruntime":
        return [*faults(model), *_no_tensors(model), *lint_onnxruntime.refusals(model)]
    if target in ("tensorrt", "tensorrt-flags", "tensorrt-rtx"):
        flags, rtx = target == "tensorrt-flags", target == "tensorrt-rtx"
        return [*faults(model), *lint_tensorrt.refusals(model, flags=flags, rtx=rtx)]
    if target == "torch":
        return [*faults(model), *_no_tensors(model), *lint_torch.refusals(model)]
    raise UsageError(f"`{target}` cannot be checked for", fix=nearest(target, TARGETS))


def _no_tensors(model: ModelProto) -> list[str]:
    """Inputs that no samples can be given for, whatever the backend reads."""
    names = real_inputs(model.graph)
    odd = (value for value in model.graph.input if value.name in names and value.type.WhichOneof("value") != "tensor_type")
    return [f"input {value.name} is no tensor, and edgetui gives tensors only; export it as a tensor" for value in odd]


def hints(model: ModelProto, target: str) -> list[str]:
    """What `target` reads but is slow with: a sentence each, with the node and what mends it."""
    consumers: dict[str, list[NodeProto]] = {}
    for node in nodes(model):
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    found: list[str] = []
    for node in nodes(model):
        if target != "tensorrt" or node.op_type not in ("Conv", "ConvTranspose", "Gemm") or not is_onnx(node):
            continue
        for pair in consumers.get(node.output[0], []):
            later = [after for back in consumers.get(pair.output[0], []) for after in consumers.get(back.output[0], [])]
            if pair.op_type == "QuantizeLinear" and any(after.op_type in ("Relu", "Clip") for after in later):
                found.append(
                    f"{label(node)}: a Q/DQ pair stands between it and its activation, which keeps "
                    "TensorRT from fusing the two; put the pair after the activation"
                )
    return found
