"""GroupNormalization of opset 18 in operators that every later opset knows.

ONNX took that form back: its checker refuses it in opsets 19 and 20, and its converter to 21 makes factors that
do not fit. The arithmetic is the operator's own definition (ONNX, Operators.md: a scale and a bias for each group).
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from .names import Names
from .shapes import inferred
from .values import array_of
from .walk import attribute, attribute_int, constants, is_onnx, label


def written_out(model: ModelProto) -> ModelProto:
    """A copy without such nodes where shapes, scales and biases are known; the model itself where there is none."""
    held = constants(model)
    if not any(_ours(node, held) for node in model.graph.node):
        return model
    shapes = _shapes(model)
    fresh, taken = ModelProto(), Names(model)
    fresh.CopyFrom(model)
    del fresh.graph.node[:]
    for node in model.graph.node:
        shape = shapes.get(node.input[0], ()) if _ours(node, held) else ()
        fresh.graph.node.extend(_instead(node, shape, held, fresh, taken) if shape else [node])
    return fresh


def _ours(node: NodeProto, held: dict[str, TensorProto]) -> bool:
    return node.op_type == "GroupNormalization" and is_onnx(node) and all(name in held for name in node.input[1:])


def _shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Of all tensors that have one without open axes."""
    graph = inferred(model, {}).graph
    found = {}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        axes = value.type.tensor_type.shape.dim
        if axes and all(axis.dim_value > 0 for axis in axes):
            found[value.name] = tuple(axis.dim_value for axis in axes)
    return found


def _instead(
    node: NodeProto, shape: tuple[int, ...], held: dict[str, TensorProto], model: ModelProto, taken: Names
) -> list[NodeProto]:
    """Groups become the channels of an InstanceNormalization; scale and bias are spread over the channels of their group."""
    stem, groups = label(node), attribute_int(node, "num_groups", 1)
    epsilon = attribute(node, "epsilon")
    kind = helper.tensor_dtype_to_np_dtype(held[node.input[1]].data_type)
    spread = [
        np.repeat(array_of(held[name]), shape[1] // groups).reshape(-1, *[1] * (len(shape) - 2)) for name in node.input[1:]
    ]
    values = {
        "grouped": np.array([shape[0], groups, -1]),
        "whole": np.array(shape),
        "ones": np.ones(groups, kind),
        "zeros": np.zeros(groups, kind),
        "scale": spread[0],
        "bias": spread[1],
    }
    names = {name: taken.free(f"{stem}/{name}") for name in (*values, "0", "1", "2", "3")}
    model.graph.initializer.extend(numpy_helper.from_array(array, names[name]) for name, array in values.items())
    steps = [
        ("Reshape", [node.input[0], names["grouped"]]),
        ("InstanceNormalization", [names["0"], names["ones"], names["zeros"]]),
        ("Reshape", [names["1"], names["whole"]]),
        ("Mul", [names["2"], names["scale"]]),
        ("Add", [names["3"], names["bias"]]),
    ]
    made = [
        helper.make_node(operator, inputs, [node.output[0] if place == len(steps) - 1 else names[str(place)]])
        for place, (operator, inputs) in enumerate(steps)
    ]
    for place, one in enumerate(made):
        one.name = taken.free(f"{stem}/{one.op_type}{place}")
    if epsilon is not None:
        made[1].attribute.append(epsilon)
    return made
