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


def test_a_reshaped_weight_keeps_its_values_and_so_does_one_with_two_readers_of_constants() -> None:
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
    made = same_after(model(nodes, {"f": flat, "g": flat, "s": np.array([0, 3, 3, -1])}), gone=3)
    assert [weight.name for weight in weights(made)] == ["w", "h"]


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


def test_what_a_body_reads_is_written_out_under_its_name() -> None:
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
    made = same_after(model(nodes, {"s": np.array([8]), "yes": np.array(True)}), gone=1)
    assert {tensor.name for tensor in made.graph.initializer} == {"w", "yes"}


def test_more_than_fits_is_left_as_it_is() -> None:
    value = helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5])
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["w"], value=value),
        helper.make_node("ReduceMean", ["w"], ["m"], keepdims=0),
        helper.make_node("Add", ["x", "m"], ["y"]),
    ]
    made = model(nodes, {"s": np.array([1 << 20, 1 << 12])})
    assert write_out(made) == 0


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_weight_norm_becomes_a_weight_of_any_size() -> None:
    v, g = rng().standard_normal((64, 3, 7, 7)).astype(np.float32), np.ones((64, 1, 1, 1), np.float32)
    nodes = [
        helper.make_node("ReduceL2", ["v"], ["n"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Div", ["v", "n"], ["d"]),
        helper.make_node("Mul", ["g", "d"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    made = same_after(model(nodes, {"v": v, "g": g}), gone=3)
    assert [tensor.name for tensor in made.graph.initializer] == ["w"]


def test_what_would_make_the_file_larger_stays() -> None:
    half = rng().standard_normal((1024, 3, 3, 3)).astype(np.float16)
    table = rng().standard_normal((64, 64)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["half"], ["w"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Expand", ["row", "mask_shape"], ["mask"]),
        helper.make_node("Mul", ["most", "mask"], ["p"]),
        helper.make_node("Transpose", ["table"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["p", "t"], ["q"]),
        helper.make_node("MatMul", ["q", "table"], ["k"]),
        helper.make_node("ReduceMax", ["k"], ["top"], keepdims=0),
        helper.make_node("Add", ["a", "top"], ["y"]),
    ]
    held = {"half": half, "row": np.ones((1, 64), np.float32), "table": table, "mask_shape": np.array([5000, 64])}
    made = same_after(model(nodes, held), gone=0)
    found = {weight.name: (weight.operators, weight.tensor.data_type) for weight in weights(made)}
    assert found == {"half": (["Conv"], TensorProto.FLOAT16), "table": (["MatMul", "MatMul"], TensorProto.FLOAT)}


def test_layers_that_share_a_weight_get_one_transposed_copy() -> None:
    w = rng().standard_normal((64, 64)).astype(np.float32)
    nodes, last = [helper.make_node("Reshape", ["x", "rows"], ["t0"])], "t0"
    for layer in range(3):
        nodes += [
            helper.make_node("Transpose", ["w"], [f"w{layer}"], perm=[1, 0]),
            helper.make_node("MatMul", [last, f"w{layer}"], [f"m{layer}"]),
        ]
        last = f"m{layer}"
    nodes.append(helper.make_node("Reshape", [last, "image"], ["y"]))
    made = same_after(model(nodes, {"w": w, "rows": np.array([3, 64]), "image": np.array([1, 3, 8, 8])}), gone=3)
    (weight,) = weights(made)
    assert (weight.name, weight.shape, weight.operators) == ("w0", (64, 64), ["MatMul"] * 3)


def test_quantized_weights_do_not_become_floats_again_and_nothing_random_becomes_constant() -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale"], ["w"]),
        helper.make_node("Mul", ["w", "scale"], ["v"]),
        helper.make_node("Conv", ["x", "v"], ["c"]),
        helper.make_node("RandomUniformLike", ["scale"], ["r"]),
        helper.make_node("Add", ["c", "r"], ["y"]),
    ]
    made = model(nodes, {"q": np.ones((4, 3, 3, 3), np.int8), "scale": np.array(0.5, np.float32)})
    assert write_out(made) == 0


def test_constants_inside_a_body_are_written_out_there() -> None:
    inner = [
        helper.make_node("Mul", ["w", "two"], ["v"]),
        helper.make_node("Conv", ["x", "v"], ["inner"]),
    ]
    two = numpy_helper.from_array(np.array(2, np.float32), "two")
    value = helper.make_tensor_value_info("inner", 1, ["a", "b", "c", "d"])
    body = helper.make_graph(inner, "b", [], [value], [two])
    nodes = [helper.make_node("If", ["yes"], ["y"], then_branch=body, else_branch=body)]
    held = {"w": rng().standard_normal((4, 3, 3, 3)).astype(np.float32), "yes": np.array(True)}
    made = same_after(model(nodes, held), gone=2)
    for entry in made.graph.node[0].attribute:
        assert [node.op_type for node in entry.g.node] == ["Conv"]
    assert [weight.name for weight in weights(made)] == ["v", "v"]
