"""Graphs whose nodes are out of order, go round, or whose tensors are made twice or never; sparse weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.walk import constants
from edgetui.engine.inspection.inspect import inspect
from onnx import NodeProto, TensorProto, helper, numpy_helper
from refusals import lint_lines

WEIGHTS = np.arange(16, dtype=np.float32).reshape(4, 4)
node = helper.make_node


def written(path: Path, nodes: list[NodeProto], held: tuple[str, ...] = ("w",), sparse: tuple[int, ...] | None = None) -> Path:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(WEIGHTS, name) for name in held]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], tensors)
    if sparse is not None:
        kept = numpy_helper.from_array(np.ones(len(sparse), np.float32), "w")
        where = numpy_helper.from_array(np.array(sparse, np.int64), "")
        graph.sparse_initializer.append(helper.make_sparse_tensor(kept, where, [4, 4]))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_nodes_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    """ONNX Runtime does the same by itself, so such files are about."""
    path = written(
        tmp_path / "m.onnx", [node("Relu", ["b"], ["y"]), node("Abs", ["a"], ["b"]), node("MatMul", ["x", "w"], ["a"])]
    )
    assert [each.op_type for each in load(path).graph.node] == ["MatMul", "Abs", "Relu"]


def test_a_node_comes_behind_what_its_body_reads(tmp_path: Path) -> None:
    one = helper.make_tensor_value_info("t", TensorProto.FLOAT, [1, 4])
    branches = {f"{word}_branch": helper.make_graph([node("Abs", ["a"], ["t"])], word, [], [one]) for word in ("then", "else")}
    chosen = node("If", ["c"], ["y"], **branches)
    yes = node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True)))
    path = written(tmp_path / "m.onnx", [yes, chosen, node("MatMul", ["x", "w"], ["a"])])
    assert [each.op_type for each in load(path).graph.node] == ["Constant", "MatMul", "If"]


@pytest.mark.parametrize("target", ["onnxruntime", "tensorrt"])
@pytest.mark.parametrize(
    ("nodes", "held", "said"),
    [
        ([node("MatMul", ["x", "w"], ["y"])], ("w", "w"), "tensor w is stored 2 times"),
        ([node("Abs", ["x"], ["y"]), node("Relu", ["x"], ["y"])], ("w",), "tensor y is made more than once"),
        ([node("Abs", ["x"], ["w"]), node("Relu", ["w"], ["y"])], ("w",), "tensor w is made more than once"),
        ([node("MatMul", ["x", "v"], ["y"])], ("w",), "MatMul:y reads v, which nothing makes"),
        ([node("Abs", ["x"], ["z"])], ("w",), "nothing makes the output y"),
        ([node("Add", ["x", "b"], ["y"]), node("Abs", ["y"], ["b"])], ("w",), "waits for its own output"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, nodes: list[NodeProto], held: tuple[str, ...], said: str, target: str) -> None:
    found = lint_lines(load(written(tmp_path / "m.onnx", nodes, held)), target)
    assert any(said in sentence for sentence in found)


def test_sparse_weights_are_written_out(tmp_path: Path) -> None:
    model = load(written(tmp_path / "m.onnx", [node("MatMul", ["x", "w"], ["y"])], (), sparse=(1, 6, 15)))
    array = numpy_helper.to_array(model.graph.initializer[0])
    assert np.flatnonzero(array).tolist() == [1, 6, 15]
    assert array.shape == (4, 4)
    assert lint_lines(model, "onnxruntime") == []


def test_sparse_weights_past_their_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="sparse tensor w"):
        load(written(tmp_path / "m.onnx", [node("MatMul", ["x", "w"], ["y"])], (), sparse=(1, 6, 16)))


@pytest.mark.parametrize("form", ["value_floats", "sparse_value"])
def test_constant_nodes_are_counted_in_every_form(tmp_path: Path, form: str) -> None:
    numbers = [1.0, 0.0, 3.0, 4.0]
    kept = numpy_helper.from_array(np.array([1, 3, 4], np.float32), "")
    where = numpy_helper.from_array(np.array([0, 2, 3], np.int64), "")
    value = numbers if form == "value_floats" else helper.make_sparse_tensor(kept, where, [4])
    path = written(tmp_path / "m.onnx", [node("Constant", [], ["b"], **{form: value}), node("Add", ["x", "b"], ["y"])], ())
    (held,) = constants(load(path)).values()
    assert numpy_helper.to_array(held).tolist() == numbers
    facts = inspect(path, {})
    assert (facts.parameters, facts.nonzero) == (4, 3)
