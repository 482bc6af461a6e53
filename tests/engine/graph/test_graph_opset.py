import numpy as np
import pytest
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph import metadata
from edgetui.engine.graph.opset import raise_opset
from edgetui.engine.graph.walk import opset
from onnx import ModelProto, numpy_helper, parser


def graph(opset_: int) -> ModelProto:
    model = parser.parse_model(
        f"""<ir_version: 4, opset_import: ["" : {opset_}]>
        g (float[1,4] x) => (float[1,2] y) {{ [mm] a = MatMul(x, w) [act] y = Softmax(a) }}"""
    )
    model.graph.initializer.append(numpy_helper.from_array(np.ones((4, 2), np.float32), "w"))
    return model


def test_what_is_there_already_stays_itself() -> None:
    model = graph(13)
    assert raise_opset(model, 13, "this") is model


def test_raising_keeps_names_metadata_and_weights() -> None:
    model = graph(9)
    metadata.put(model, "fp16", {"keep": ["mm"]})
    raised = raise_opset(model, 21, "this")
    assert opset(raised) == 21
    assert raised.ir_version >= 10
    assert metadata.get(raised, "fp16") == {"keep": ["mm"]}
    assert {"mm", "act"} <= {node.name for node in raised.graph.node}
    assert [value.name for value in raised.graph.output] == ["y"]
    assert "w" in {tensor.name for tensor in raised.graph.initializer}


def test_what_the_converter_cannot_do_is_said() -> None:
    model = parser.parse_model(
        """<ir_version: 4, opset_import: ["" : 9]> g (float[1,1,4,4] x) => (float y) { y = Relu(missing) }"""
    )
    with pytest.raises(ModelRefused, match="4-bit weights needs opset 21, the model has 9") as caught:
        raise_opset(model, 21, "4-bit weights")
    assert "opset 21" in caught.value.fix


def test_metadata_are_replaced_and_dropped() -> None:
    model = graph(13)
    metadata.put(model, "k", 1)
    metadata.put(model, "k", [2])
    assert metadata.get(model, "k") == [2]
    metadata.drop(model, "k")
    assert metadata.get(model, "k") is None


def test_damaged_metadata_are_refused() -> None:
    model = graph(13)
    model.metadata_props.add(key="edgetui.k", value="{")
    with pytest.raises(ModelRefused, match=r"edgetui\.k"):
        metadata.get(model, "k")


@pytest.mark.parametrize(
    ("held", "words"), [('{"keep": 3}', r"`keep = 3` is not valid"), ("[1]", "is not a table"), ('"x"', "is not a table")]
)
def test_metadata_of_another_form_are_refused_with_what_is_wrong(held: str, words: str) -> None:
    model = graph(13)
    model.metadata_props.add(key=f"edgetui.{metadata.HALF}", value=held)
    with pytest.raises(ModelRefused, match=words):
        metadata.read(model, metadata.HALF, metadata.Halved)


def test_a_plugin_of_any_name_in_onnx_s_own_domain_does_not_stop_it() -> None:
    text = '<ir_version: 7, opset_import: ["" : 12]> g (float[1,4] x) => (float[1,4] y) { a = Softmax(x) [n] y = YoloLayer(a) }'
    raised = raise_opset(parser.parse_model(text), 19, "a test")
    assert [(node.domain, node.op_type) for node in raised.graph.node][-1] == ("", "YoloLayer")
    assert [entry.version for entry in raised.opset_import] == [19]
