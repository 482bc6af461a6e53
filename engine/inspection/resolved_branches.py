"""A model in which the sizes of its inputs have decided what they can: an If that asks for a shape is the branch it takes.

Inference follows shapes into both branches of every If and then knows nothing of what comes after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from onnx import ModelProto, TensorProto, helper, shape_inference

from ..graph.external import skeleton
from ..graph.fold import FoldFailed, fold
from ..graph.walk import graphs

_NAME = r"node name: ((?:(?!\): \[).)*)\): \["
_FAULT = re.compile(rf"\(op_type:(\w+), {_NAME}ShapeInferenceError\] (?!Inference error)(.*)")
_WITHIN = re.compile(rf"\(op_type:If, {_NAME}")


def decided(model: ModelProto) -> ModelProto | None:
    """A copy without weights; None: the optimizer tripped over it."""
    light = skeleton(model)
    for graph in graphs(light.graph):  # what an exporter wrote of another trace need not fit
        del graph.value_info[:]
        for value in graph.output:
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
    bare = [tensor for tensor in light.graph.initializer if not _held(tensor)]
    kept = [tensor for tensor in light.graph.initializer if _held(tensor)]
    given = [value.name for value in light.graph.input]
    # The optimizer reads what is stored; of an input it reads the type alone.
    light.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims) for tensor in bare if tensor.name not in given
    )
    del light.graph.initializer[:]
    light.graph.initializer.extend(kept)
    try:
        done = fold(light)
    except FoldFailed:
        return None
    done.graph.initializer.extend(bare)
    inputs = [value for value in done.graph.input if value.name in given]
    del done.graph.input[:]
    done.graph.input.extend(inputs)
    return done


def misfits(model: ModelProto) -> Iterator[tuple[str, str, str]]:
    """Nodes in branches that the sizes of the inputs do not fit: the If, the node, and what ONNX's inference says of it. The
    model is as `decided` left it.
    """
    try:
        shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as error:
        for line in str(error).splitlines():
            outer, fault = _WITHIN.search(line), _FAULT.search(line)
            if outer and fault and fault[1] != "If":
                yield outer[1] or "If", fault[2] or fault[1], fault[3].strip().rstrip(".")


def _held(tensor: TensorProto) -> bool:
    """Whether a tensor of a skeleton has its data, or needs none."""
    fields = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
    return 0 in tensor.dims or any(getattr(tensor, field) for field in fields)
