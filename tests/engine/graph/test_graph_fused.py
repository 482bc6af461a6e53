"""Nodes of the file that normalising took away: a recipe may name them, and is told into what they went."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.graph.fused_names import origins
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.select import select
from edgetui.engine.graph.walk import label, nodes
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, TensorProto, helper, numpy_helper

RNG = np.random.default_rng(0)


def named(operator: str, inputs: list[str], output: str, name: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], name=name, **attributes)


def detector() -> ModelProto:
    """A convolution with a batch norm and a gain in its weight, a pass through Identity, a call of a function, a dead node."""
    held = {
        "w": RNG.standard_normal((8, 3, 3, 3)).astype(np.float32),
        "gain": RNG.uniform(1, 2, (8, 1, 1, 1)).astype(np.float32),
        "ones": np.ones(8, np.float32),
        "v": RNG.standard_normal((8, 8, 1, 1)).astype(np.float32),
        "k": RNG.standard_normal((4, 8, 1, 1)).astype(np.float32),
    }
    graph = helper.make_graph(
        [
            named("Mul", ["w", "gain"], "wg", "/stem/gain"),
            named("Conv", ["x", "wg"], "a", "/stem/conv"),
            named("BatchNormalization", ["a", "ones", "ones", "ones", "ones"], "b", "/stem/norm"),
            named("Identity", ["b"], "c", "/stem/out"),
            named("Relu", ["c"], "d", "/stem/relu"),
            named("Conv", ["d", "v"], "e", "/neck/conv"),
            named("Exp", ["d"], "unread", "/neck/debug"),
            named("Head", ["e", "k"], "y", "/head", domain="own"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    inner = [named("Relu", ["p"], "q", "act"), named("Conv", ["q", "r"], "s", "conv")]
    return helper.make_model(
        graph,
        opset_imports=imports,
        ir_version=8,
        functions=[helper.make_function("own", "Head", ["p", "r"], ["s"], inner, imports[:1])],
    )


@pytest.fixture
def normal(tmp_path: Path) -> ModelProto:
    onnx.save(detector(), tmp_path / "m.onnx")
    normalise(tmp_path / "m.onnx", tmp_path / "n.onnx", {}, NullReporter())
    return load(tmp_path / "n.onnx")


def test_a_function_is_looked_into_and_the_rest_is_fused(normal: ModelProto) -> None:
    assert [node.op_type for node in nodes(normal)] == ["Conv", "Relu", "Conv", "Relu", "Conv"]
    assert {label(node) for node in nodes(normal)} >= {"/stem/conv", "/stem/relu", "/neck/conv"}


@pytest.mark.parametrize(
    ("name", "into"),
    [
        ("/stem/norm", {"/stem/conv"}),
        ("/stem/gain", {"/stem/conv"}),
        ("/stem/out", {"/stem/conv"}),
        ("BatchNormalization", {"/stem/conv"}),
        ("Identity", {"/stem/conv"}),
    ],
)
def test_a_node_that_is_gone_means_what_it_went_into(normal: ModelProto, name: str, into: set[str]) -> None:
    say = NullReporter()
    assert select(normal, [name], say) == into
    (told,) = say.warnings
    assert f"became part of {', '.join(sorted(into))}" in told


def test_a_call_means_the_nodes_in_its_place_and_so_does_a_pattern(normal: ModelProto) -> None:
    inside = {label(node) for node in nodes(normal) if label(node).startswith("/head")}
    assert len(inside) == 2
    assert select(normal, ["/head"], NullReporter()) == inside
    assert select(normal, ["/head/*"], NullReporter()) == inside
    assert select(normal, ["Head"], NullReporter()) == inside


def test_patterns_match_what_is_gone_too(normal: ModelProto) -> None:
    say = NullReporter()
    assert select(normal, ["*/norm"], say) == {"/stem/conv"}
    assert "`/stem/norm` became part of /stem/conv" in say.warnings[0]


def test_what_is_named_anyway_is_not_told(normal: ModelProto) -> None:
    say = NullReporter()
    assert select(normal, ["/stem/*"], say) == {"/stem/conv", "/stem/relu"}
    assert say.warnings == []


def test_a_node_that_nothing_needed_is_told_and_means_none(normal: ModelProto) -> None:
    say = NullReporter()
    assert select(normal, ["/neck/debug"], say) == set()
    assert "nothing that is stands for it" in say.warnings[0]


def test_an_operator_that_is_there_means_itself_alone(normal: ModelProto) -> None:
    say = NullReporter()
    assert len(select(normal, ["Conv"], say)) == 3
    assert say.warnings == []


def test_near_names_of_what_is_gone_are_named(normal: ModelProto) -> None:
    with pytest.raises(RecipeRefused) as caught:
        select(normal, ["/stem/nrom"], NullReporter())
    assert "/stem/norm" in str(caught.value)


def test_a_model_that_lost_nothing_carries_nothing(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [named("Relu", ["x"], "y", "only")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    normalise(tmp_path / "m.onnx", tmp_path / "n.onnx", {}, NullReporter())
    assert origins(load(tmp_path / "n.onnx")) == {}


def test_what_is_gone_is_followed_when_the_opset_rises(tmp_path: Path, normal: ModelProto) -> None:
    from edgetui.engine.compress.annotations import raised

    after = raised(normal, 21, "a test")
    assert select(after, ["/stem/norm"], NullReporter()) == {"/stem/conv"}
