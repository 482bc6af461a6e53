"""What TensorRT's parser refuses of a node that it otherwise reads: attributes, outputs and settings it has no layer for.

Apart from `lint_tensorrt` because these are many small rules. They are the parser's own conditions (onnx-tensorrt,
docs/operators.md and docs/Changelog.md), and each is seen to be refused by TensorRT-RTX's parser but those before TensorRT 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from onnx import NodeProto, TensorProto, defs

from .walk import attribute, attribute_int

_WITHOUT = "export without it, or run with `--backend onnxruntime`"
_REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
_SETTINGS = {
    **{operator: {"axes": 1} for operator in (*_REDUCTIONS, "Squeeze", "Unsqueeze")},
    "Dropout": {"training_mode": 2},
    "Resize": {"scales": 2},
    "STFT": {"frame_step": 1},
    "Upsample": {"scales": 1},
}
"""Inputs that are settings: TensorRT needs their values when it builds."""
_BYTES = (TensorProto.UINT8, TensorProto.INT8)
_NOT_ON_BYTES = (
    "Add", "Clip", "Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "MaxPool", "Min", "Mod", "Mul", "Sub",
)  # fmt: skip
_ONE_OUTPUT = ("Attention", "LayerNormalization", "MaxPool")
_LATEST_BEFORE_NINE = 17
_NOT_BEFORE_NINE = ("BlackmanWindow", "DeformConv", "HammingWindow", "HannWindow", "Hardmax", "STFT")


def refusals(node: NodeProto, given: Mapping[str, int]) -> Iterator[str]:
    """Why the parser would refuse a node of ONNX's own operators; `given`: names of the graph's inputs, and their types."""
    for word, place in _SETTINGS.get(node.op_type, {}).items():
        if place < len(node.input) and node.input[place] in given:
            yield f"its {word} ({node.input[place]}) is an input of the model; TensorRT needs it constant: fix it in the export"
    if node.op_type in _NOT_ON_BYTES and (name := next((name for name in node.input if given.get(name) in _BYTES), "")):
        yield f"TensorRT has no {node.op_type} of 8-bit integers, and {name} holds them; put a Cast to float before it"
    if node.op_type in _ONE_OUTPUT and any(node.output[1:]):
        yield f"TensorRT makes only the first output of {node.op_type}; {_WITHOUT}"
    rule = _RULES.get(node.op_type)
    if rule is not None:
        yield from rule(node)


def refusals_before_nine(node: NodeProto) -> Iterator[str]:
    """What TensorRT 8 refuses beside that: it reads opset 17 at most, and takes later forms for earlier ones without a word."""
    late = f"TensorRT before 10 reads opset {_LATEST_BEFORE_NINE} at most; export with that"
    try:
        first = defs.get_schema(node.op_type, _LATEST_BEFORE_NINE)
    except defs.SchemaError:
        yield f"there is no {node.op_type} in opset {_LATEST_BEFORE_NINE}; {late}"
        return
    if node.op_type in _NOT_BEFORE_NINE:
        yield f"TensorRT before 10 has no {node.op_type}; {_WITHOUT}"
    elif len([name for name in node.input if name]) > first.max_input:
        yield f"{node.op_type} reads {node.input[first.max_input]}, which it does not in opset {_LATEST_BEFORE_NINE}; {late}"
    elif node.op_type == "ScatterElements" and _word(node, "reduction", "none") != "none":
        yield f"TensorRT before 10 does not add or multiply while it scatters; {_WITHOUT}"
    elif node.op_type == "Pad" and _word(node, "mode", "constant") == "wrap":
        yield f"TensorRT before 10 does not pad by wrapping; {_WITHOUT}"
    elif node.op_type == "Resize" and attribute(node, "axes") is not None:
        yield f"it resizes some axes only, which is not in opset {_LATEST_BEFORE_NINE}; {late}"


def _pool(node: NodeProto) -> Iterator[str]:
    spread = attribute(node, "dilations")
    if spread is not None and any(step != 1 for step in spread.ints):
        yield f"TensorRT does not pool with dilations; {_WITHOUT}"
    if node.op_type == "LpPool" and attribute_int(node, "p", 2) not in (1, 2):
        yield f"TensorRT pools by the first and second power only, not by p={attribute_int(node, 'p', 2)}; {_WITHOUT}"


def _resize(node: NodeProto) -> Iterator[str]:
    mode, place = _word(node, "mode", "nearest"), _word(node, "coordinate_transformation_mode", "half_pixel")
    coefficient = attribute(node, "cubic_coeff_a")
    if mode == "cubic" and coefficient is not None and abs(coefficient.f + 0.75) > 1e-6:
        yield f"cubic_coeff_a is {coefficient.f:g}, TensorRT has -0.75 only; export that, or mode=linear"
    if place == "tf_crop_and_resize":
        yield "TensorRT cannot crop while it resizes (tf_crop_and_resize); crop with Slice first"
    elif place == "half_pixel_symmetric":
        yield "TensorRT has no half_pixel_symmetric; export with half_pixel"
    if attribute_int(node, "antialias", 0):
        yield "TensorRT resizes without antialias; export with antialias=False"
    policy = _word(node, "keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        yield f"TensorRT does not keep the aspect ratio (keep_aspect_ratio_policy={policy}); export with sizes of your own"


def _scatter(node: NodeProto) -> Iterator[str]:
    if _word(node, "reduction", "none") != "none":
        yield f"TensorRT's ScatterND does not add or multiply while it scatters; {_WITHOUT}"


def _normalise(node: NodeProto) -> Iterator[str]:
    if attribute_int(node, "training_mode", 0):
        yield "it was exported in training mode; call model.eval() before the export"


def _attention(node: NodeProto) -> Iterator[str]:
    softcap = attribute(node, "softcap")
    if softcap is not None and softcap.f:
        yield f"TensorRT's Attention has no softcap; {_WITHOUT}"
    if attribute(node, "softmax_precision") is not None:
        yield f"TensorRT's Attention has no softmax_precision; {_WITHOUT}"
    if attribute_int(node, "is_causal", 0) and len(node.input) > 3 and node.input[3]:
        yield "TensorRT's Attention is causal or has a mask, not both; put the causal part into the mask"


def _word(node: NodeProto, name: str, default: str) -> str:
    entry = attribute(node, name)
    return default if entry is None else entry.s.decode(errors="replace")


_RULES: dict[str, Callable[[NodeProto], Iterator[str]]] = {
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _pool),
    "Attention": _attention,
    "BatchNormalization": _normalise,
    "Resize": _resize,
    "ScatterND": _scatter,
}
