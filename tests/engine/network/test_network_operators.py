"""Every operator in PyTorch gives what ONNX Runtime gives: one node, one case a form."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.network.call import Hints
from edgetui.engine.network.module import OPERATORS, as_module
from onnx import TensorProto, helper

torch = pytest.importorskip("torch", reason="needs torch")

IMAGE, ROWS, TOKENS = (2, 4, 7, 9), (3, 6), (2, 5, 8)
ONE_INPUT = {
    "Abs": [{}],
    "ArgMax": [{"axis": 1}, {"axis": 0, "keepdims": 0}],
    "ArgMin": [{"axis": -1}],
    "AveragePool": [
        {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1]},
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
        {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    ],
    "Cast": [{"to": TensorProto.INT64}, {"to": TensorProto.DOUBLE}, {"to": TensorProto.BOOL}],
    "Ceil": [{}],
    "Celu": [{}, {"alpha": 0.5}],
    "Cos": [{}],
    "DepthToSpace": [{"blocksize": 2}, {"blocksize": 2, "mode": "CRD"}],
    "Dropout": [{}],
    "Elu": [{}, {"alpha": 0.3}],
    "Erf": [{}],
    "Exp": [{}],
    "Flatten": [{}, {"axis": 2}, {"axis": 0}, {"axis": -1}],
    "Floor": [{}],
    "Gelu": [{}, {"approximate": "tanh"}],
    "GlobalAveragePool": [{}],
    "GlobalMaxPool": [{}],
    "HardSigmoid": [{}, {"alpha": 0.3, "beta": 0.1}],
    "HardSwish": [{}],
    "Identity": [{}],
    "LRN": [{"size": 3}, {"size": 5, "alpha": 0.1, "beta": 0.5, "bias": 2.0}],
    "LeakyRelu": [{}, {"alpha": 0.3}],
    "LogSoftmax": [{}, {"axis": 1}],
    "LpNormalization": [{"axis": 1}, {"axis": 1, "p": 1}],
    "MaxPool": [
        {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [2, 2], "dilations": [2, 3]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"kernel_shape": [3, 3], "auto_pad": "VALID"},
    ],
    "Mish": [{}],
    "Neg": [{}],
    "Relu": [{}],
    "Round": [{}],
    "Selu": [{}],
    "Shape": [{}, {"start": 1}, {"start": -3, "end": -1}],
    "Sigmoid": [{}],
    "Sign": [{}],
    "Sin": [{}],
    "Size": [{}],
    "Softmax": [{}, {"axis": 1}],
    "Softplus": [{}],
    "Softsign": [{}],
    "SpaceToDepth": [{"blocksize": 2}],
    "Split": [{"num_outputs": 2, "axis": 1}, {"num_outputs": 3, "axis": 3}],
    "Squeeze": [{}],
    "Tanh": [{}],
    "Transpose": [{}, {"perm": [0, 2, 3, 1]}],
}
SHAPES = {"DepthToSpace": (2, 8, 3, 4), "SpaceToDepth": (2, 3, 4, 6), "Squeeze": (1, 4, 1, 3)}
REDUCED = (
    *("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"),
    *("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"),
)
I64 = np.int64


def whole(*values: int) -> np.ndarray:
    return np.array(values, I64)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def several(operator: str, *inputs: np.ndarray | None, opset: int = 20, **attributes: object):
    words = " ".join(f"{key}={value}" for key, value in attributes.items())
    return pytest.param(operator, inputs, attributes, opset, id=f"{operator}-{opset}-{words}"[:80])


A, B = drawn(*IMAGE), drawn(4, 1, 9) + 3
SCALES = np.float32([0.1, 0.02, 0.5, 0.03])
SEQUENCE = drawn(5, 2, 4)
BYTES = np.random.default_rng(4).integers(-128, 128, IMAGE).astype(np.int8)
CASES = [
    *[
        several(operator, drawn(*SHAPES.get(operator, IMAGE)), **form)
        for operator, forms in ONE_INPUT.items()
        for form in forms
    ],
    *[several(operator, A, B) for operator in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean")],
    *[several(name, A, A.round()) for name in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")],
    *[several(name, A > 0, A > 1) for name in ("And", "Or", "Xor")],
    *[several(name, np.abs(A) + 0.1) for name in ("Sqrt", "Log", "Reciprocal")],
    several("Not", A > 0),
    several("BitwiseAnd", BYTES.view(np.uint8), np.uint8([0x0F])),
    several("BitShift", BYTES.view(np.uint8), np.uint8([4]), direction="RIGHT"),
    several("BitShift", BYTES.view(np.uint8), np.uint8([3]), direction="LEFT"),
    several("Div", whole(7, -7, 9), whole(2, 2, -4)),
    several("Mod", whole(7, -7, 9), whole(2, 3, -4)),
    several("Mod", A, B, fmod=1),
    several("Pow", np.abs(A), np.float32(1.5)),
    several("Sum", A, A, A),
    several("MatMul", drawn(2, 3, 4, 5), drawn(5, 6)),
    several("MatMul", drawn(5), drawn(5, 6)),
    several("Clip", A, np.float32(-0.5), np.float32(1)),
    several("Clip", A, None, np.float32(1)),
    several("Clip", A, opset=10, min=-0.5, max=0.25),
    several("PRelu", A, drawn(4, 1, 1)),
    several("Softmax", A, opset=11),
    several("LogSoftmax", A, opset=11, axis=2),
    several("Einsum", drawn(2, 3, 4), drawn(2, 4, 5), equation="bij,bjk->bik"),
    *[several(name, np.abs(A) if "Log" in name else A, whole(1, -1), keepdims=keep) for name in REDUCED for keep in (0, 1)],
    several("ReduceMean", A, opset=13, axes=[2, 3]),
    several("ReduceMean", A, opset=13),
    several("ReduceSum", A, whole(), noop_with_empty_axes=1),
    several("Conv", A, drawn(6, 4, 3, 3), drawn(6), pads=[1, 1, 1, 1], strides=[2, 1]),
    several("Conv", A, drawn(6, 2, 3, 2), group=2, pads=[0, 1, 2, 0], dilations=[2, 1]),
    several("Conv", A, drawn(4, 1, 3, 3), group=4, auto_pad="SAME_UPPER", strides=[2, 2]),
    several("Conv", A, drawn(4, 4, 2, 2), auto_pad="SAME_LOWER"),
    several("Conv", drawn(2, 4, 11), drawn(3, 4, 3), drawn(3), pads=[1, 0]),
    several("Conv", drawn(1, 2, 4, 5, 6), drawn(3, 2, 2, 2, 2), auto_pad="VALID"),
    several("ConvTranspose", A, drawn(4, 3, 3, 3), drawn(3), strides=[2, 2], pads=[1, 0, 1, 1], output_padding=[1, 0]),
    several("ConvTranspose", A, drawn(4, 2, 2, 2), group=2, dilations=[2, 1]),
    several("ConvTranspose", A, drawn(4, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    several("ConvTranspose", A, drawn(4, 3, 3, 3), strides=[2, 2], output_shape=[14, 19]),
    several("Gemm", drawn(3, 6), drawn(6, 5), drawn(5)),
    several("Gemm", drawn(6, 3), drawn(5, 6), drawn(3, 1), transA=1, transB=1, alpha=0.5, beta=2.0),
    several("Gemm", drawn(3, 6), drawn(6, 5)),
    several("BatchNormalization", A, drawn(4), drawn(4), drawn(4), np.abs(drawn(4)), epsilon=1e-3),
    several("InstanceNormalization", A, drawn(4), drawn(4)),
    several("LayerNormalization", drawn(*TOKENS), drawn(8), drawn(8)),
    several("LayerNormalization", drawn(*TOKENS), drawn(5, 8), axis=1, epsilon=1e-3),
    several("Reshape", A, whole(2, 0, -1)),
    several("Reshape", A, whole(-1)),
    several("Squeeze", drawn(1, 3, 1), whole(0)),
    several("Squeeze", drawn(1, 3, 1), opset=11, axes=[2]),
    several("Unsqueeze", drawn(3, 4), whole(0, -1)),
    several("Unsqueeze", drawn(3, 4), opset=11, axes=[1]),
    several("Concat", A, A, axis=1),
    several("Concat", A, A, axis=-1),
    several("Split", A, whole(1, 3), axis=1),
    several("Slice", A, whole(1, -1), whole(3, -100), whole(2, 3), whole(1, -2)),
    several("Slice", A, whole(1), whole(2**62), whole(1)),
    several("Slice", A, opset=9, starts=[1, -3], ends=[3, 2**31 - 1], axes=[2, 3]),
    several("Gather", A, np.array([[0, -1], [2, 1]]), axis=2),
    several("Gather", whole(4, 5, 6), np.array(1)),
    several("GatherElements", drawn(3, 4), np.array([[0, -1], [2, 1]]), axis=1),
    several("Expand", drawn(3, 1), whole(2, 1, 4)),
    several("Where", A > 0, A, B),
    several("ConstantOfShape", whole(2, 3)),
    several("ConstantOfShape", whole(2, 3), value=helper.make_tensor("v", TensorProto.INT64, [1], [7])),
    several("Range", np.float32(1), np.float32(4), np.float32(0.5)),
    several("Range", np.array(9), np.array(1), np.array(-3)),
    several("Tile", drawn(2, 3), whole(2, 1)),
    several("Trilu", drawn(4, 5)),
    several("Trilu", drawn(4, 5), np.array(-1), upper=0),
    several("CastLike", A, whole(1)),
    several("Pad", A, whole(0, 0, 1, 2, 0, 1, 0, -1), np.float32(0.5)),
    several("Pad", A, whole(2, 1), None, whole(2)),
    several("Pad", A, whole(0, 0, 3, 2, 0, 0, 1, 2), mode="reflect"),
    several("Pad", A, whole(0, 0, 1, 2, 0, 1, 0, 2), mode="edge"),
    several("Pad", A, whole(0, 0, 1, 2, 0, 1, 0, 2), mode="wrap"),
    several("Pad", A, opset=10, pads=[0, 0, 1, 1, 0, 0, 1, 1], value=2.0),
    several("Upsample", A, np.array([1, 1, 2, 3], np.float32), opset=9),
    several("Resize", A, np.array([1, 1, 2, 1.5], np.float32), opset=10),
    several("Resize", A, None, np.array([1, 1, 0.5, 2], np.float32), mode="linear"),
    *[
        several("Resize", A, None, None, whole(2, 4, 5, 13), mode=mode, coordinate_transformation_mode=where)
        for mode in ("nearest", "linear")
        for where in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
    ],
    *[
        several("Resize", A, None, np.array([1, 1, 1.7, 2.3], np.float32), nearest_mode=rule)
        for rule in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    ],
    several("Resize", A, None, None, whole(14, 4), axes=[2, 3]),
    *[
        several("Constant", **form)
        for form in ({"value_int": 3}, {"value_ints": [1, 2]}, {"value_float": 0.5}, {"value_floats": [0.5, 2.0]})
    ],
    *[several("QuantizeLinear", 3 * A, np.float32(0.02), zero) for zero in (np.uint8(7), np.int8(-5))],
    several("QuantizeLinear", 3 * A, np.float32(0.0001), np.int16(100), opset=21),
    several("QuantizeLinear", np.float32([0.25, 0.75, 1.25, -0.25, -0.75]), np.float32(0.5), np.int8(0)),
    several("QuantizeLinear", A, np.float32(0.1)),
    several("QuantizeLinear", A, SCALES, np.int8([1, 0, -3, 9])),
    several("QuantizeLinear", drawn(3, 6), SCALES[:3], np.uint8([1, 0, 9]), axis=0),
    *[several("DequantizeLinear", BYTES, np.float32(0.03), zero) for zero in (np.int8(3), None)],
    several("DequantizeLinear", BYTES, SCALES, np.int8([1, 0, -3, 9])),
    several("DequantizeLinear", BYTES.view(np.uint8), SCALES.astype(np.float16), np.uint8([1, 0, 3, 200]), opset=21),
    several("DequantizeLinear", whole(10**6, -(10**6)).astype(np.int32), np.float32([0.5, 0.25]), axis=0),
    several("DequantizeLinear", BYTES[0, :, :, 0], np.abs(drawn(4, 3)), opset=21, block_size=3),
    *[
        several("LSTM", SEQUENCE, drawn(ways, 12, 4), drawn(ways, 12, 3), *more, hidden_size=3, direction=direction)
        for ways, direction in ((1, "forward"), (1, "reverse"), (2, "bidirectional"))
        for more in ((), (drawn(ways, 24), None, drawn(ways, 2, 3), drawn(ways, 2, 3) + 1))
    ],
    *[
        several("GRU", SEQUENCE, drawn(ways, 9, 4), drawn(ways, 9, 3), *more, hidden_size=3, direction=direction, **form)
        for ways, direction in ((1, "forward"), (2, "bidirectional"))
        for more in ((), (drawn(ways, 18), np.int32([5, 5]), drawn(ways, 2, 3)))
        for form in ({}, {"linear_before_reset": 1})
    ],
    several("DynamicQuantizeLinear", A),
    several("DynamicQuantizeLinear", np.abs(A) + 1),
]


@pytest.mark.parametrize(("operator", "inputs", "attributes", "opset"), CASES)
def test_an_operator_gives_what_onnx_runtime_gives(bench, operator, inputs, attributes, opset):
    names = [f"x{place}" if value is not None else "" for place, value in enumerate(inputs)]
    feeds = {name: np.asarray(value) for name, value in zip(names, inputs, strict=True) if name}
    outputs = 2 if operator == "Split" else 1
    if attributes.get("num_outputs") == 3:
        outputs = 3
    outputs = {"DynamicQuantizeLinear": 3, "LSTM": 3, "GRU": 2}.get(operator, outputs)
    node = helper.make_node(operator, names, [f"y{place}" for place in range(outputs)], name="it", **attributes)
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    results = [helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = helper.make_graph([node], "one", values, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    expected = bench.run(model, feeds)
    first = next(iter(feeds.values()), np.zeros(1))
    module = as_module(model, (), first.shape[0] if first.ndim else 1, Hints("do without", "take less"))
    found = module({name: torch.from_numpy(array.copy()) for name, array in feeds.items()})
    for ours, theirs in zip(found.values(), expected, strict=True):
        assert ours.shape == theirs.shape
        assert ours.numpy().dtype == theirs.dtype
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=2e-4, atol=2e-5)


def test_every_operator_has_a_case():
    assert {case.values[0] for case in CASES} == set(OPERATORS)
