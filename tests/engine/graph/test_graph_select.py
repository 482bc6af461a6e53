import pytest
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.graph.select import select
from onnx import ModelProto, parser


@pytest.fixture
def model() -> ModelProto:
    return parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (bool c, float[1,4] x) => (float y) {
            ["/head/Softmax"] a = Softmax(x)
            ["/head/Mul[0]"] b = Mul(a, x)
            ["/body/Relu_1"] d = Relu(b)
            e = Relu(d)
            ["/If"] y = If(c) <
                then_branch = t () => (float p) { ["/If/Neg"] p = Neg(e) },
                else_branch = f () => (float q) { q = Identity(e) }
            >
        }"""
    )


def test_names_patterns_and_operators(model: ModelProto) -> None:
    assert select(model, []) == set()
    assert select(model, ["/body/Relu_1"]) == {"/body/Relu_1"}
    assert select(model, ["/head/*"]) == {"/head/Softmax", "/head/Mul[0]"}
    assert select(model, ["Relu"]) == {"/body/Relu_1", "Relu:e"}
    assert select(model, ["Softmax", "/body/*"]) == {"/head/Softmax", "/body/Relu_1"}


def test_a_name_with_brackets_means_itself(model: ModelProto) -> None:
    assert select(model, ["/head/Mul[0]"]) == {"/head/Mul[0]"}


def test_nodes_inside_bodies(model: ModelProto) -> None:
    assert select(model, ["Neg"]) == {"/If/Neg"}


@pytest.mark.parametrize(
    ("pattern", "near"),
    [("/head/Softmx", "/head/Softmax"), ("Rely", "Relu"), ("*softmax*", "/head/Softmax"), ("/x/*", "operators here")],
)
def test_a_pattern_that_means_nothing(model: ModelProto, pattern: str, near: str) -> None:
    with pytest.raises(RecipeRefused) as caught:
        select(model, [pattern])
    assert pattern in caught.value.what
    assert near in caught.value.fix
