"""What TensorRT's parser refuses of a node that it otherwise reads: attributes, outputs and settings it has no layer for.

Apart from `lint_tensorrt` because these are many small rules. They are the parser's own conditions (onnx-tensorrt,
docs/operators.md and docs/Changelog.md), and each is seen to be refused by TensorRT-RTX's parser but those before TensorRT 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from onnx import NodeProto, TensorProto, defs

from ..errors import WITHOUT, Refusal
from ..graph.walk import attribute, attribute_int

_REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
_SETTINGS = {
    **{operator: {"axes": 1} for operator in (*_REDUCTIONS, "Squeeze", "Unsqueeze")},
    **{operator: {"size": 0} for operator in ("BlackmanWindow", "HammingWindow", "HannWindow")},
    "ConstantOfShape": {"shape": 0},
    "CumSum": {"axis": 1},
    "Dropout": {"training_mode": 2},
    "Expand": {"shape": 1},
    "Loop": {"trip count": 0},
    "OneHot": {"depth": 1},
    "Pad": {"pads": 1, "axes": 3},
    "Range": {"start": 0, "limit": 1, "delta": 2},
    "Reshape": {"shape": 1},
    "Resize": {"scales": 2, "sizes": 3},
    "Slice": {"starts": 1, "ends": 2, "axes": 3, "steps": 4},
    "Split": {"split": 1},
    "STFT": {"frame_step": 1},
    "Tile": {"repeats": 1},
    "TopK": {"k": 1},
    "Upsample": {"scales": 1},
}
"""Inputs that are settings: TensorRT needs their values when it builds."""
_CARRIES = (
    "Add", "Cast", "Concat", "Div", "Gather", "Identity", "Max", "Min", "Mul", "Neg", "ReduceMax", "ReduceMin", "ReduceProd",
    "ReduceSum", "Reshape", "Slice", "Squeeze", "Sub", "Unsqueeze", "Where",
)  # fmt: skip
"""What exporters compute sizes with: the values of an input remain values of that input."""
_INTEGER = (TensorProto.INT32, TensorProto.INT64)
_BYTE = TensorProto.UINT8
_PACKED: dict[int, str] = {
    getattr(TensorProto, name): word
    for name, word in (
        ("FLOAT8E4M3FN", "8-bit floats"), ("FLOAT4E2M1", "4-bit floats"), ("INT4", "4-bit numbers"), ("UINT4", "4-bit numbers"),
    )
    if hasattr(TensorProto, name)  # each came with a version of onnx
}  # fmt: skip
_NOT_ON_UNSIGNED = (
    "Add", "Clip", "Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "MaxPool", "Min", "Mod", "Mul", "Sub",
)  # fmt: skip
_NOT_RTX = ("DeformConv", "NonMaxSuppression", "NonZero", "RoiAlign")
_ONE_OUTPUT = ("Attention", "LayerNormalization", "MaxPool")
_LATEST_BEFORE_NINE = 17
_NOT_BEFORE_NINE = ("BlackmanWindow", "DeformConv", "HammingWindow", "HannWindow", "Hardmax", "STFT")


def carried(nodes: Iterable[NodeProto], given: Iterable[str]) -> dict[str, str]:
    """Tensors whose values sizes may be made of, with the input of the graph that each comes from; inputs themselves too."""
    found = {name: name for name in given}
    for node in nodes:
        source = next((found[name] for name in node.input if name in found), "") if node.op_type in _CARRIES else ""
        if source:
            found.update(dict.fromkeys(node.output, source))
    return found


def refusals(node: NodeProto, given: Mapping[str, int], values: Mapping[str, str]) -> Iterator[Refusal]:
    """Why the parser would refuse a node of ONNX's own operators; `given`: names of the graph's inputs, and their types;
    `values`: see `carried`.
    """
    for word, place in _SETTINGS.get(node.op_type, {}).items():
        name = node.input[place] if place < len(node.input) else ""
        if name in values:
            how = "is an input" if name in given else f"is computed from the input {values[name]}"
            yield Refusal.of(f"its {word} ({name}) {how} of the model, and TensorRT needs it constant", "fix it in the export")
    if node.op_type in _NOT_ON_UNSIGNED and (name := next((name for name in node.input if given.get(name) == _BYTE), "")):
        yield Refusal.of(
            f"TensorRT has no {node.op_type} of unsigned integers, and {name} holds them", "put a Cast to float before it"
        )
    if node.op_type in _ONE_OUTPUT and any(node.output[1:]):
        yield Refusal.of(f"TensorRT makes only the first output of {node.op_type}", *WITHOUT)
    kind = given.get(node.input[0]) if node.input else None
    if node.op_type == "Mod" and kind is not None and kind not in _INTEGER and not attribute_int(node, "fmod", 0):
        yield Refusal.of("TensorRT's Mod takes 32- and 64-bit integers only", "export with fmod=1, or put a Cast before it")
    if node.op_type in ("Cast", "CastLike"):
        other = attribute_int(node, "to", 0) if node.op_type == "Cast" else given.get(node.input[1], 0)
        if packed := _PACKED.get(other) or _PACKED.get(kind or 0):
            yield Refusal.of(
                f"TensorRT reads and makes {packed} with QuantizeLinear and DequantizeLinear only", "put these in its place"
            )
    rule = _RULES.get(node.op_type)
    if rule is not None:
        yield from rule(node)


def refusals_of_rtx(node: NodeProto) -> Iterator[Refusal]:
    """What TensorRT-RTX 1.7 refuses beside that: what TensorRT itself has plugins for."""
    if node.op_type in _NOT_RTX:
        yield Refusal.of(f"TensorRT-RTX has no {node.op_type}", *WITHOUT)
    elif node.op_type == "ScatterElements" and _word(node, "reduction", "none") != "none":
        yield Refusal.of("TensorRT-RTX does not add or multiply while it scatters", *WITHOUT)


def refusals_before_nine(node: NodeProto) -> Iterator[Refusal]:
    """What TensorRT 8 refuses beside that: it reads opset 17 at most, and takes later forms for earlier ones without a word."""
    late = f"TensorRT before 10 reads opset {_LATEST_BEFORE_NINE} at most; export with that"
    try:
        first = defs.get_schema(node.op_type, _LATEST_BEFORE_NINE)
    except defs.SchemaError:
        yield Refusal.of(f"there is no {node.op_type} in opset {_LATEST_BEFORE_NINE}", late)
        return
    if node.op_type in _NOT_BEFORE_NINE:
        yield Refusal.of(f"TensorRT before 10 has no {node.op_type}", *WITHOUT)
    elif len([name for name in node.input if name]) > first.max_input:
        yield Refusal.of(
            f"{node.op_type} reads {node.input[first.max_input]}, which it does not in opset {_LATEST_BEFORE_NINE}", late
        )
    elif node.op_type == "ScatterElements" and _word(node, "reduction", "none") != "none":
        yield Refusal.of("TensorRT before 10 does not add or multiply while it scatters", *WITHOUT)
    elif node.op_type == "Pad" and _word(node, "mode", "constant") == "wrap":
        yield Refusal.of("TensorRT before 10 does not pad by wrapping", *WITHOUT)
    elif node.op_type == "Resize" and attribute(node, "axes") is not None:
        yield Refusal.of(f"it resizes some axes only, which is not in opset {_LATEST_BEFORE_NINE}", late)


def _pool(node: NodeProto) -> Iterator[Refusal]:
    spread = attribute(node, "dilations")
    if spread is not None and any(step != 1 for step in spread.ints):
        yield Refusal.of("TensorRT does not pool with dilations", *WITHOUT)
    if node.op_type == "LpPool" and attribute_int(node, "p", 2) not in (1, 2):
        yield Refusal.of(f"TensorRT pools by the first and second power only, not by p={attribute_int(node, 'p', 2)}", *WITHOUT)


def _resize(node: NodeProto) -> Iterator[Refusal]:
    mode, place = _word(node, "mode", "nearest"), _word(node, "coordinate_transformation_mode", "half_pixel")
    coefficient = attribute(node, "cubic_coeff_a")
    if mode == "cubic" and coefficient is not None and abs(coefficient.f + 0.75) > 1e-6:
        yield Refusal.of(f"cubic_coeff_a is {coefficient.f:g}, TensorRT has -0.75 only", "export that, or mode=linear")
    if place == "tf_crop_and_resize":
        yield Refusal.of("TensorRT cannot crop while it resizes (tf_crop_and_resize)", "crop with Slice first")
    elif place == "half_pixel_symmetric":
        yield Refusal.of("TensorRT has no half_pixel_symmetric", "export with half_pixel")
    if attribute_int(node, "antialias", 0):
        yield Refusal.of("TensorRT resizes without antialias", "export with antialias=False")
    policy = _word(node, "keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        yield Refusal.of(
            f"TensorRT does not keep the aspect ratio (keep_aspect_ratio_policy={policy})", "export with sizes of your own"
        )


def _scatter(node: NodeProto) -> Iterator[Refusal]:
    if _word(node, "reduction", "none") != "none":
        yield Refusal.of("TensorRT's ScatterND does not add or multiply while it scatters", *WITHOUT)


def _normalise(node: NodeProto) -> Iterator[Refusal]:
    if attribute_int(node, "training_mode", 0):
        yield Refusal.of("it was exported in training mode", "call model.eval() before the export")


def _attention(node: NodeProto) -> Iterator[Refusal]:
    softcap = attribute(node, "softcap")
    if softcap is not None and softcap.f:
        yield Refusal.of("TensorRT's Attention has no softcap", *WITHOUT)
    if attribute(node, "softmax_precision") is not None:
        yield Refusal.of("TensorRT's Attention has no softmax_precision", *WITHOUT)
    if attribute_int(node, "is_causal", 0) and len(node.input) > 3 and node.input[3]:
        yield Refusal.of("TensorRT's Attention is causal or has a mask, not both", "put the causal part into the mask")


def _word(node: NodeProto, name: str, default: str) -> str:
    entry = attribute(node, name)
    return default if entry is None else entry.s.decode(errors="replace")


def _recurrent(node: NodeProto) -> Iterator[Refusal]:
    entry = attribute(node, "activations")
    names = {name.decode(errors="replace").lower() for name in entry.strings} if entry is not None else set()
    if "affine" in names:
        yield Refusal.of("TensorRT has no activation Affine", *WITHOUT)


def _tensor_scatter(node: NodeProto) -> Iterator[Refusal]:
    if _word(node, "mode", "linear") != "linear":
        yield Refusal.of("TensorRT's TensorScatter is linear only", *WITHOUT)


_RULES: dict[str, Callable[[NodeProto], Iterator[Refusal]]] = {
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _pool),
    "Attention": _attention,
    "BatchNormalization": _normalise,
    "Resize": _resize,
    "ScatterND": _scatter,
    "TensorScatter": _tensor_scatter,
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent),
}
