import pytest
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph.shapes import declared, fix_inputs, inferred, input_shapes, open_inputs, shape_table
from onnx import ModelProto, TensorProto, helper, parser


def two_inputs() -> ModelProto:
    return parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 13]>
        g (int64[batch, seq] ids, int64[batch, seq] mask) => (int64[batch, seq] y) { y = Mul(ids, mask) }"""
    )


def image(*axes: int | str | None) -> ModelProto:
    value = helper.make_tensor_value_info("image", TensorProto.FLOAT, axes)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, axes)
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["y"])], "g", [value], [out])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def test_the_batch_is_one() -> None:
    assert input_shapes(image("batch", 3, 8, 8), {}) == {"image": (1, 3, 8, 8)}
    assert input_shapes(image(None, 3, 8, 8), {}) == {"image": (1, 3, 8, 8)}
    assert input_shapes(image(-1, 3, 8, 8), {}) == {"image": (1, 3, 8, 8)}


def test_other_axes_are_asked_for_with_the_flag() -> None:
    with pytest.raises(ModelRefused) as caught:
        input_shapes(image("batch", 3, "height", None), {})
    assert "--shape image=1x3x?x?" in caught.value.fix


def test_all_open_inputs_are_in_one_answer() -> None:
    with pytest.raises(ModelRefused) as caught:
        input_shapes(two_inputs(), {})
    assert "--shape ids=1x? --shape mask=1x?" in caught.value.fix


def test_a_name_settles_the_same_axis_everywhere() -> None:
    assert input_shapes(two_inputs(), {"ids": (2, 16)}) == {"ids": (2, 16), "mask": (2, 16)}


def test_one_name_cannot_have_two_lengths() -> None:
    with pytest.raises(ModelRefused, match="at once"):
        input_shapes(two_inputs(), {"ids": (1, 16), "mask": (1, 8)})


@pytest.mark.parametrize("word", ["?", "None", "-1", "unk__12", "unknown", "dynamic_1", "*", "NULL"])
def test_a_word_for_unknown_is_no_equality(word: str) -> None:
    square = image(word, 3, word, word)
    assert open_inputs(square, {}) == ("image=1x3x?x?",)
    assert input_shapes(square, {"image": (1, 3, 24, 32)}) == {"image": (1, 3, 24, 32)}
    two = two_inputs()
    for value in [*two.graph.input, *two.graph.output]:
        value.type.tensor_type.shape.dim[1].dim_param = word
    given = {"ids": (2, 16), "mask": (2, 8)}
    assert input_shapes(two, given) == given
    fix_inputs(two, given)
    assert declared(two.graph.output[0]) == (2, word)


def test_a_name_with_two_lengths_in_one_input_is_no_equality() -> None:
    model = two_inputs()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("ids", TensorProto.INT64, ["seq", "seq"]))
    given = {"ids": (4, 16), "mask": (2, 8)}
    assert input_shapes(model, given) == given
    fix_inputs(model, given)
    assert declared(model.graph.output[0]) == (2, "seq")


def test_a_batch_of_one_is_no_height_of_one() -> None:
    assert open_inputs(image("n", 3, "n", "n"), {}) == ("image=1x3x?x?",)
    assert input_shapes(image("n", 3, "n", "n"), {"image": (8, 3, 8, 8)}) == {"image": (8, 3, 8, 8)}


@pytest.mark.parametrize("name", ["tokens", "N", "s0", "height", "unknown_height", "dim_1", "any_axis", "normal"])
def test_any_other_name_is_an_equality(name: str) -> None:
    model = two_inputs()
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[1].dim_param = name
    assert input_shapes(model, {"ids": (1, 16)})["mask"] == (1, 16)
    with pytest.raises(ModelRefused, match="at once"):
        input_shapes(model, {"ids": (1, 16), "mask": (1, 8)})


@pytest.mark.parametrize(
    ("shapes", "word"),
    [
        ({"images": (1, 3, 8, 8)}, "did you mean `image`"),
        ({"image": (1, 3, 8)}, "4 axes"),
        ({"image": (1, 4, 8, 8)}, "axis 1"),
    ],
)
def test_shapes_that_do_not_fit(shapes: dict[str, tuple[int, ...]], word: str) -> None:
    with pytest.raises(ModelRefused, match=word):
        input_shapes(image("batch", 3, "h", "w"), shapes)


def test_an_input_without_a_rank_is_open() -> None:
    model = image(1, 3)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    assert open_inputs(model, {}) == ("image=?",)
    assert input_shapes(model, {"image": (5, 5)}) == {"image": (5, 5)}


def test_an_initializer_listed_as_input_needs_no_shape() -> None:
    model = image("batch", 3)
    model.graph.initializer.append(helper.make_tensor("k", TensorProto.FLOAT, [2], [1.0, 2.0]))
    model.graph.input.append(helper.make_tensor_value_info("k", TensorProto.FLOAT, ["n"]))
    assert input_shapes(model, {}) == {"image": (1, 3)}


def test_inputs_that_are_no_tensors() -> None:
    model = image(1, 3)
    model.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [1])))
    with pytest.raises(ModelRefused, match="sequence"):
        input_shapes(model, {})


def test_inference_follows_settled_shapes_past_stale_ones() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 13]>
        g (float[n, 3] x) => (float[1, 3] y) <float[1, 3] mid> { mid = Relu(x) y = Relu(mid) }"""
    )
    table = shape_table(inferred(model, {"x": (4, 3)}))
    assert table["mid"] == (4, 3)
    assert table["y"] == (4, 3)


def test_shapes_that_depend_on_shapes_are_computed() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[n, 4, 6] x) => (float[a, b] y)
        <int64[1] zero = {0}, int64[1] rest = {-1}> {
            shape = Shape(x) first = Gather(shape, zero) target = Concat<axis = 0>(first, rest) y = Reshape(x, target)
        }"""
    )
    assert shape_table(inferred(model, {"x": (2, 4, 6)}))["y"] == (2, 24)


def test_a_graph_inference_trips_over_keeps_what_it_says() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 13, "odd.domain" : 1]>
        g (float[1, 3] x) => (float[1, 7] y) { y = odd.domain.Thing(x) }"""
    )
    assert shape_table(inferred(model, {"x": (1, 3)}))["y"] == (1, 7)


def test_an_output_whose_shape_only_the_data_tell_is_as_the_file_says() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1, 8] x) => (float[5, 2] y, float[n] z) {
            found = NonZero(x)
            rows = Transpose<perm = [1, 0]>(found)
            y = Cast<to = 1>(rows)
            flat = Reshape<allowzero = 0>(y, shape)
            z = Identity(flat)
        }"""
    )
    model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [1], [-1]))
    assert [declared(value) for value in inferred(model, {}).graph.output] == [(5, 2), ("n",)]
