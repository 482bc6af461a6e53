"""What outputs are, told from graphs: quantities, labels, rows in an order that the data choose; side by side in one output."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.graph.output_meaning import Meaning, meanings
from onnx import ModelProto, TensorProto, helper, numpy_helper

node = helper.make_node
FLOAT, INT64, BOOL, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8
CONSTANTS = {
    "k": [20],
    "axes_last": [2],
    "axis_0": [0],
    "four": [1, 1, 4],
    "flat": [1, -1],
    "spread": [4, 1],
    "half": np.float32(0.5),
    "W": np.ones((4, 3, 1, 1), np.float32),
    "M": np.ones((4, 7), np.float32),
    "table": np.ones((9, 5), np.float32),
    "zero": [0],
    "single": [1],
    "ten": [10],
    "most": np.int64(20),
    "iou": np.float32(0.5),
    "names": np.array(["cat", "dog"], object),
}


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, outputs, shape=(1, 50, 4), kind=FLOAT, extra=()) -> ModelProto:
    """Boxes `x` and scores `s` of 50 places, and what is made of them; `outputs`: names, or names with a type and a shape."""
    given = [value("x", shape, kind), value("s", (1, 50, 1)), *extra]
    told = [helper.make_empty_tensor_value_info(entry) if isinstance(entry, str) else value(*entry) for entry in outputs]
    stored = [numpy_helper.from_array(np.array(array), name) for name, array in CONSTANTS.items()]
    graph = helper.make_graph(nodes, "g", given, told, initializer=stored)
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("TRT", 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=8)


def one(nodes, output="y", **more) -> Meaning:
    return meanings(model(nodes, [output], **more))[output if isinstance(output, str) else output[0]]


TOP = [
    node("TopK", ["s", "k"], ["best", "place"], axis=1),
    node("Tile", ["place", "four"], ["places"]),
    node("GatherElements", ["x", "places"], ["chosen"], axis=1),
]
QUANTITIES = {
    "a logit": [node("Conv", ["x", "W"], ["y"])],
    "probabilities": [node("Softmax", ["x"], ["y"])],
    "an image in bytes": [node("Cast", ["x"], ["y"], to=UINT8)],
    "a class's row of a table, through layers": [
        node("ArgMax", ["x"], ["c"], axis=1, keepdims=0),
        node("Gather", ["table", "c"], ["e"]),
        node("Relu", ["e"], ["y"]),
    ],
    "what a mask lets through": [node("Greater", ["x", "half"], ["m"]), node("Where", ["m", "x", "half"], ["y"])],
    "a count": [
        node("Greater", ["x", "half"], ["m"]),
        node("Cast", ["m"], ["i"], to=INT64),
        node("ReduceSum", ["i", "axis_0"], ["y"]),
    ],
    "how many were found": [node("NonZero", ["x"], ["n"]), node("Shape", ["n"], ["y"])],
    "how often each class is there": [node("ArgMax", ["x"], ["c"], axis=1), node("Unique", ["c"], ["u", "", "", "y"])],
    "the best of all": [node("TopK", ["x", "single"], ["y", "i"], axis=1)],
    "an offset beside a place": [
        node("ArgMax", ["x"], ["c"]),
        node("Cast", ["c"], ["f"], to=1),
        node("Add", ["f", "x"], ["y"]),
    ],
}
LABELS = {
    "class numbers": [node("ArgMax", ["x"], ["y"], axis=1)],
    "class numbers as floats": [node("ArgMax", ["x"], ["c"]), node("Cast", ["c"], ["y"], to=1)],
    "a mask": [node("Greater", ["x", "half"], ["y"])],
    "a mask as floats": [node("Greater", ["x", "half"], ["m"]), node("Cast", ["m"], ["y"], to=1)],
    "the names of classes": [node("ArgMax", ["x"], ["c"]), node("Gather", ["names", "c"], ["y"])],
    "the best class of each place": [node("TopK", ["x", "single"], ["v", "i"], axis=1), node("Squeeze", ["i"], ["y"])],
    "a mask of places": [node("ArgMax", ["x"], ["c"]), node("Equal", ["c", "zero"], ["m"]), node("Not", ["m"], ["y"])],
}


@pytest.mark.parametrize("name", [*QUANTITIES])
def test_what_has_a_size_is_a_quantity(name):
    found = one(QUANTITIES[name], shape=(1, 3, 8, 8))
    assert (found.kind, found.varies) == ("quantity", True)


@pytest.mark.parametrize("name", [*LABELS])
def test_what_is_equal_or_not_is_a_label(name):
    found = one(LABELS[name], shape=(1, 3, 8, 8))
    assert (found.kind, found.varies) == ("labels", True)


RANKED = {
    "boxes of the best": (TOP, "chosen", -2),
    "their scores": (TOP, "best", -2),
    "their places": (TOP, "place", -2),
    "rows through a Gather": (
        [*TOP, node("Reshape", ["place", "flat"], ["p"]), node("Gather", ["x", "p"], ["y"], axis=1)], "y", -2,
    ),
    "without the last axis": ([*TOP, node("Squeeze", ["best", "axes_last"], ["y"])], "y", -1),
    "columns first": ([*TOP, node("Transpose", ["chosen"], ["y"], perm=[0, 2, 1])], "y", -1),
    "behind layers": ([*TOP, node("MatMul", ["chosen", "M"], ["h"]), node("Softmax", ["h"], ["y"])], "y", -2),
    "a class of each row": ([*TOP, node("ArgMax", ["chosen"], ["y"], axis=2, keepdims=0)], "y", -1),
    "places of a mask": ([node("NonZero", ["x"], ["y"])], "y", -1),
    "rows that pass": (
        [
            node("Greater", ["s", "half"], ["m"]), node("Squeeze", ["m"], ["c"]),
            node("Compress", ["x", "c"], ["y"], axis=1),
        ], "y", -2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [*RANKED])
def test_rows_are_followed_to_the_output(name):
    nodes, output, axis = RANKED[name]
    found = one(nodes, output)
    assert found.kind == "ranked"
    assert [order.axis for order in found.orders] == [axis]


def test_rows_laid_end_to_end_keep_their_width():
    found = one([*TOP, node("Reshape", ["chosen", "flat"], ["y"])])
    assert [(order.axis, order.width) for order in found.orders] == [(-1, 4)]


def test_outputs_of_one_choice_share_its_source_and_say_what_they_hold():
    found = meanings(model(TOP, ["chosen", "best", "place"]))
    assert {order.sources for each in found.values() for order in each.orders} == {frozenset({"best"})}
    assert [each.labels for each in found.values()] == [False, False, True]


def test_what_is_put_side_by_side_is_told_apart():
    nodes = [
        *TOP, node("ArgMax", ["chosen"], ["c"], axis=2), node("Cast", ["c"], ["f"], to=1),
        node("Concat", ["chosen", "best", "f"], ["rows"], axis=2), node("Transpose", ["rows"], ["y"], perm=[0, 2, 1]),
        node("Split", ["rows", "sizes"], ["a", "b"], axis=2),
    ]  # fmt: skip
    made = model(nodes, ["rows", "y", "a", "b"])
    made.graph.initializer.append(numpy_helper.from_array(np.array([5, 1]), "sizes"))
    found = meanings(made)
    assert [(part.size, part.labels) for part in found["rows"].parts] == [(4, False), (1, False), (1, True)]
    assert found["y"].parts_axis == -2
    assert [part.size for part in found["a"].parts] == [4, 1]
    assert found["b"].labels


def test_sorting_every_column_by_itself_is_no_sorting_of_rows():
    found = one([node("TopK", ["x", "k"], ["y", "p"], axis=1)])
    assert found.orders[0].sets == frozenset({-1})


def test_boxes_of_non_maximum_suppression_vary_in_number():
    nodes = [
        node("Transpose", ["s"], ["scores"], perm=[0, 2, 1]),
        node("NonMaxSuppression", ["x", "scores", "most", "iou"], ["kept"]),
        node("Slice", ["kept", "two", "three", "one"], ["column"]),
        node("Reshape", ["column", "minus"], ["p"]),
        node("Gather", ["x", "p"], ["y"], axis=1),
    ]
    made = model(nodes, ["kept", "y"])
    more = {"two": [2], "three": [3], "one": [1], "minus": [-1]}
    made.graph.initializer.extend(numpy_helper.from_array(np.array(each), name) for name, each in more.items())
    found = meanings(made)
    assert [(each.kind, each.labels, each.orders[0].axis) for each in found.values()] == [
        ("ranked", True, -2),
        ("ranked", False, -2),
    ]


def test_a_plugin_that_chooses_boxes_gives_rows():
    names = ["num", "boxes", "scores", "classes"]
    nodes = [node("EfficientNMS_TRT", ["x", "s"], names, domain="TRT")]
    kinds = [("num", TensorProto.INT32, (1, 1)), ("boxes", FLOAT, (1, 10, 4)), ("scores", FLOAT, (1, 10)),
             ("classes", TensorProto.INT32, (1, 10))]  # fmt: skip
    made = model(nodes, [(name, shape, kind) for name, kind, shape in kinds])
    found = meanings(made)
    assert [found[name].kind for name in names] == ["quantity", "ranked", "ranked", "ranked"]
    assert [found[name].labels for name in names] == [False, False, False, True]


def test_rows_come_out_of_branches_and_loops():
    def body(name):
        return helper.make_graph(
            [node("TopK", ["s", "k"], [f"v{name}", f"p{name}"], axis=1)], name, [], [value(f"v{name}", (1, 20, 1))]
        )

    branch = node("If", ["flag"], ["y"], then_branch=body("a"), else_branch=body("b"))
    made = model([branch], [("y", (1, 20, 1))], extra=[value("flag", (), BOOL)])
    assert meanings(made)["y"].kind == "ranked"


def test_branches_read_the_numbers_outside_and_tell_what_lies_side_by_side():
    def body(name):
        top = [node("TopK", ["s", "k"], ["v", "p"], axis=1), node("Tile", ["p", "four"], ["q"]),
               node("GatherElements", ["x", "q"], ["b"], axis=1), node("Cast", ["p"], ["c"], to=1),
               node("Concat", ["b", "v", "c"], ["y"], axis=2)]  # fmt: skip
        for each in top:
            each.output[:] = [f"{output}_{name}" for output in each.output]
            each.input[:] = [f"{given}_{name}" if given in "pqbvc" else given for given in each.input]
        return helper.make_graph(top, name, [], [value(f"y_{name}", (1, 20, 6))])

    branch = node("If", ["flag"], ["y"], then_branch=body("a"), else_branch=body("b"))
    found = meanings(model([branch], ["y"], extra=[value("flag", (), BOOL)]))["y"]
    assert [(part.size, part.labels) for part in found.parts] == [(4, False), (1, False), (1, True)]
    assert [order.axis for order in found.orders] == [-2]


def test_rows_that_pass_keep_what_lies_side_by_side():
    nodes = [
        node("ArgMax", ["x"], ["c"], axis=2), node("Cast", ["c"], ["f"], to=1),
        node("Concat", ["x", "s", "f"], ["all"], axis=2),
        node("Greater", ["s", "half"], ["m"]), node("Reshape", ["m", "long"], ["passed"]),
        node("Compress", ["all", "passed"], ["y"], axis=1),
    ]  # fmt: skip
    made = model(nodes, ["y"])
    made.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "long"))
    assert [(part.size, part.labels) for part in meanings(made)["y"].parts] == [(4, False), (1, False), (1, True)]


def test_each_queries_best_class_has_its_place():
    nodes = [node("TopK", ["x", "single"], ["v", "i"], axis=2), node("Squeeze", ["i", "axes_last"], ["y"])]
    assert one(nodes).orders == ()


def test_a_local_function_is_looked_into():
    made = model([node("pick", ["x"], ["y"], domain="own")], ["y"])
    made.opset_import.append(helper.make_opsetid("own", 1))
    opset = [helper.make_opsetid("", 17)]
    made.functions.append(helper.make_function("own", "pick", ["a"], ["b"], [node("ArgMax", ["a"], ["b"], axis=1)], opset))
    assert meanings(made)["y"].kind == "labels"


SIGMOID = node("Sigmoid", ["x"], ["p"])


@pytest.mark.parametrize(
    ("nodes", "share"),
    [
        ([node("Softmax", ["x"], ["y"])], True),
        ([SIGMOID, node("Reshape", ["p", "flat"], ["y"])], True),
        ([SIGMOID, node("Sigmoid", ["s"], ["q"]), node("Mul", ["p", "q"], ["y"])], True),
        ([SIGMOID, node("Mul", ["p", "x"], ["y"])], False),
        ([SIGMOID, node("Concat", ["x", "p"], ["y"], axis=2)], False),
        ([SIGMOID, node("Log", ["p"], ["y"])], False),
        ([node("Relu", ["x"], ["y"])], False),
    ],
)
def test_shares_are_what_a_sigmoid_or_softmax_made(nodes: list, share: bool) -> None:
    assert one(nodes).share is share
