"""What lint says, in the words of the command line, and what it does not say: what a backend reads but is slow with."""

from __future__ import annotations

from edgetui.engine.graph.walk import is_onnx, nodes
from edgetui.engine.inspection import lint
from onnx import ModelProto, NodeProto


def lint_lines(model: ModelProto, target: str) -> list[str]:
    """Each refusal as a sentence."""
    return [str(refusal) for refusal in lint.lint(model, target)]


def split_activations(model: ModelProto) -> list[str]:
    """Products with a Q/DQ pair between them and their activation, which keeps TensorRT from fusing the two."""
    consumers: dict[str, list[NodeProto]] = {}
    for node in nodes(model):
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    found = []
    for node in nodes(model):
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm") or not is_onnx(node):
            continue
        for pair in consumers.get(node.output[0], []):
            later = [after for back in consumers.get(pair.output[0], []) for after in consumers.get(back.output[0], [])]
            if pair.op_type == "QuantizeLinear" and any(after.op_type in ("Relu", "Clip") for after in later):
                found.append(node.name)
    return found
