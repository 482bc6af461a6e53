from __future__ import annotations

import numpy as np
import onnxruntime as ort
from edgetui.engine.graph.constants import write_out
from edgetui.engine.graph.weights import weights
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

IMAGE = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])


def model(nodes: list[NodeProto], held: dict[str, np.ndarray], output: str = "y") -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [IMAGE],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["a", "b", "c", "d"])],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(made)
    return made


def outputs(made: ModelProto) -> list[np.ndarray]:
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)}
    return ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)


def same_after(made: ModelProto, gone: int) -> ModelProto:
    before = outputs(made)
    assert write_out(made) == gone
    checker.check_model(made)
    for old, new in zip(before, outputs(made), strict=True):
        np.testing.assert_allclose(old, new, rtol=1e-6)
    return made


def test_a_filled_weight_becomes_an_initializer() -> None:
    value = helper.make_tensor("v", TensorProto.FLOAT, [1], [0.25])
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["w"], value=value), helper.make_node("Conv", ["x", "w"], ["y"])]
    made = same_after(model(nodes, {"s": np.array([4, 3, 3, 3])}), gone=1)
    assert [weight.name for weight in weights(made)] == ["w"]
    assert [tensor.name for tensor in made.graph.initializer] == ["w"]


def test_a_reshaped_weight_keeps_its_values_and_one_with_two_readers_stays() -> None:
    flat = np.random.default_rng(1).standard_normal((4, 27)).astype(np.float32)
    nodes = [
        helper.make_node("Reshape", ["f", "s"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("ReduceSum", ["g"], ["t"], keepdims=0),
        helper.make_node("Reshape", ["g", "s"], ["h"]),
        helper.make_node("Conv", ["x", "h"], ["d"]),
        helper.make_node("Add", ["c", "d"], ["e"]),
        helper.make_node("Add", ["e", "t"], ["y"]),
    ]
    made = same_after(model(nodes, {"f": flat, "g": flat, "s": np.array([0, 3, 3, -1])}), gone=1)
    assert [node.op_type for node in made.graph.node].count("Reshape") == 1


def test_a_dropout_goes_unless_it_trains_or_is_an_output_or_its_mask_is_read() -> None:
    nodes = [
        helper.make_node("Dropout", ["x"], ["a"]),
        helper.make_node("Dropout", ["a"], ["b", "mask"]),
        helper.make_node("Cast", ["mask"], ["m"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["b", "m"], ["c"]),
        helper.make_node("Dropout", ["c"], ["y"]),
    ]
    made = same_after(model(nodes, {}), gone=1)
    assert [node.input[0] for node in made.graph.node if node.op_type == "Dropout"] == ["x", "c"]


def test_what_a_body_reads_stays() -> None:
    zero = helper.make_tensor("v", TensorProto.FLOAT, [1], [2.0])
    body = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["inner"])],
        "b",
        [],
        [helper.make_tensor_value_info("inner", 1, ["a", "b", "c", "d"])],
    )
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["w"], value=zero),
        helper.make_node("If", ["yes"], ["y"], then_branch=body, else_branch=body),
    ]
    same_after(model(nodes, {"s": np.array([8]), "yes": np.array(True)}), gone=0)


def test_more_than_fits_is_left_as_it_is() -> None:
    value = helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5])
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["w"], value=value),
        helper.make_node("ReduceMean", ["w"], ["m"], keepdims=0),
        helper.make_node("Add", ["x", "m"], ["y"]),
    ]
    made = model(nodes, {"s": np.array([1 << 20, 1 << 12])})
    assert write_out(made) == 0
