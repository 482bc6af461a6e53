"""What the inspector's JSON of several versions becomes."""

from __future__ import annotations

from edgetui.engine.backends.tensorrt.inspector_json import islands, layers


def entry(name: str, kind: str, reads: str, makes: str, **more: object) -> dict:
    return {
        "Name": name,
        "LayerType": kind,
        "Inputs": [{"Name": "a", "Format/Datatype": reads}],
        "Outputs": [{"Name": "b", "Format/Datatype": makes}],
        **more,
    }


DOCUMENT = {
    "Layers": [
        entry("Reformatting CopyNode for Input Tensor 0", "Reformat", "Row major linear FP32", "Thirty-two wide channel INT8"),
        entry(
            "conv1 + relu1",
            "CaskConvolution",
            "Channel major Int8 format",
            "Channel major Int8 format",
            Metadata="[ONNX Layer: conv1_q]\x1e[ONNX Layer: conv1]",
            TacticName="sm80_xmma_fprop_sparse_conv_int8",
        ),
        entry("softmax", "SoftMaxV2", "Row major linear FP32", "Row major linear FP32"),
        entry("old", "CaskGemm", "Row major FP16", "Row major FP16"),
    ]
}


def test_precision_origin_and_kernels_are_read():
    found = layers(DOCUMENT, {"softmax": 0.5})
    assert [layer.precision for layer in found] == ["INT8", "INT8", "FP32", "FP16"]
    assert found[1].origin == ("conv1_q", "conv1")
    assert [layer.sparse for layer in found] == [False, True, False, False]
    assert [layer.reformat for layer in found] == [True, False, False, False]
    assert [layer.milliseconds for layer in found] == [None, None, 0.5, None]


def test_an_island_computes_in_fp32_where_others_compute_in_less():
    assert [layer.name for layer in islands(layers(DOCUMENT, {}))] == ["softmax"]
    full = {"Layers": [entry("a", "CaskConvolution", "Row major FP32", "Row major FP32")]}
    assert islands(layers(full, {})) == ()


def test_a_plan_without_details_has_names_only():
    (layer,) = layers({"Layers": ["conv1 + relu1"]}, {"conv1 + relu1": 0.25})
    assert (layer.name, layer.kind, layer.precision, layer.milliseconds) == ("conv1 + relu1", "", "", 0.25)
