"""Lowering: every kind of graph, for every target, runs in integers and says about what FP32 says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from edgetui.engine.compress.lower import lower, multiplies_bytes_exactly
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.wishes import Int8, read_int8, write_int8
from edgetui.engine.errors import ModelRefused, UsageError
from edgetui.engine.graph.lint import hints, lint
from edgetui.engine.say import Silent
from edgetui.engine.spec import QuantizeInt8
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from .conftest import Bench, Net

TARGETS = ("onnxruntime-x86", "onnxruntime-arm", "tensorrt")
QUANTIZED = ("QuantizeLinear", "DequantizeLinear")


def image(made: Net, channels: int = 3) -> str:
    return made.input("image", 1, channels, 16, 16)


def classifier(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    x = made.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = made.node("Relu", made.conv(x, 16, 16))
    x = made.node("Flatten", made.node("GlobalAveragePool", x))
    return made.model(made.node("Gemm", x, made.weight(10, 16), made.weight(10), transB=1))


def residual(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    y = made.conv(made.node("Relu", made.conv(x, 16, 16)), 16, 16)
    x = made.node("Relu", made.node("Add", x, y))
    z = made.conv(x, 16, 16, strides=[2, 2])
    ends = [made.constant(np.array(n)) for n in ([0, 0], [1 << 40, 1 << 40], [2, 3], [2, 2])]
    x = made.node("Slice", x, *ends)
    x = made.node("Relu", made.node("Sum", z, x))
    return made.model(made.conv(x, 16, 8))


def padded_shortcut(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 8))
    y = made.conv(x, 8, 16)
    x = made.node("Pad", x, made.constant(np.array([0, 4, 0, 0, 0, 4, 0, 0])))
    return made.model(made.conv(made.node("Relu", made.node("Add", x, y)), 16, 4))


def mobile(made: Net) -> ModelProto:
    limits = made.constant(np.float32(0.0)), made.constant(np.float32(6.0))
    x = made.node("Clip", made.conv(image(made), 3, 16), *limits)
    x = made.node("Clip", made.conv(x, 16, 16, group=16), *limits)
    return made.model(made.conv(x, 16, 8, size=1))


def squeeze_excite(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    gate = made.node("Relu", made.conv(made.node("GlobalAveragePool", x), 16, 8, size=1))
    gate = made.node("Sigmoid", made.conv(gate, 8, 16, size=1))
    return made.model(made.conv(made.node("Mul", x, gate), 16, 8))


def swish(made: Net) -> ModelProto:
    x = made.conv(image(made), 3, 16)
    x = made.node("Mul", x, made.node("Sigmoid", x))
    return made.model(made.conv(x, 16, 8))


def branches(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    one = made.node("LeakyRelu", made.conv(x, 16, 8, size=1), alpha=0.1)
    two = made.node("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = made.node("Concat", one, two, axis=1)
    return made.model(made.conv(x, 24, 8))


def split(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    first = made.node("Split", x, made.constant(np.array([8, 8])), outputs=2, axis=1)
    x = made.node("Concat", made.conv(first, 8, 8), f"{first}_1", axis=1)
    x = made.node("Resize", x, "", made.constant(np.array([1.0, 1.0, 2.0, 2.0])), mode="nearest")
    return made.model(made.conv(x, 16, 4))


def upsample(made: Net) -> ModelProto:
    x = made.node("Relu", made.conv(image(made), 3, 16))
    x = made.node("ConvTranspose", x, made.weight(16, 8, 2, 2), strides=[2, 2])
    return made.model(made.conv(made.node("Relu", x), 8, 4))


def late_relu(made: Net) -> ModelProto:
    """A Relu beside another reader of the convolution: it cannot go into the range."""
    x = made.conv(image(made), 3, 16)
    y = made.conv(made.node("Relu", x), 16, 16)
    return made.model(made.conv(made.node("Add", x, y), 16, 4))


def inner_output(made: Net) -> ModelProto:
    """A graph output that the next convolution reads."""
    x = made.node("Relu", made.conv(image(made), 3, 16))
    return made.model(x, made.conv(x, 16, 4))


def shared_weight(made: Net) -> ModelProto:
    """One kernel for two convolutions, one matrix for a product and, transposed, for a Gemm."""
    kernel, x = made.weight(8, 8, 3, 3), made.conv(image(made), 3, 8)
    for _ in range(2):
        x = made.node("Relu", made.node("Conv", x, kernel, pads=[1, 1, 1, 1]))
    matrix = made.weight(8, 8)
    x = made.node("Flatten", made.node("GlobalAveragePool", x))
    return made.model(made.node("Gemm", made.node("Relu", made.node("MatMul", x, matrix)), matrix, transB=1))


def gemm_factors(made: Net) -> ModelProto:
    x = made.input("image", 1, 32)
    x = made.node("Relu", made.node("Gemm", x, made.weight(32, 16), made.weight(1, 16), alpha=0.5, beta=2.0))
    x = made.node("Relu", made.node("Gemm", x, made.weight(16, 16), made.constant(np.float32(0.3))))
    return made.model(made.node("Gemm", x, made.weight(16, 10)))


def attention(made: Net) -> ModelProto:
    tokens = made.input("tokens", 1, 12, kind=TensorProto.INT64)
    x = made.node("Gather", made.weight(10, 32, scale=1.0), tokens)
    heads = []
    for _ in range(3):
        y = made.node("Add", made.node("MatMul", x, made.weight(32, 32)), made.weight(32, scale=0.1))
        y = made.node("Reshape", y, made.constant(np.array([1, 12, 4, 8])))
        heads.append(made.node("Transpose", y, perm=[0, 2, 1, 3]))
    scores = made.node("MatMul", heads[0], made.node("Transpose", heads[1], perm=[0, 1, 3, 2]))
    shares = made.node("Softmax", made.node("Mul", scores, made.constant(np.float32(0.35))), axis=-1)
    y = made.node("Transpose", made.node("MatMul", shares, heads[2]), perm=[0, 2, 1, 3])
    y = made.node("MatMul", made.node("Reshape", y, made.constant(np.array([1, 12, 32]))), made.weight(32, 32))
    x = made.node("LayerNormalization", made.node("Add", x, y), made.weight(32, scale=0.0), made.weight(32), axis=-1)
    return made.model(made.node("MatMul", x, made.weight(32, 5)))


def captured(made: Net) -> ModelProto:
    """A body that reads a tensor of the graph around it."""
    x = made.node("Relu", made.conv(image(made), 3, 8))
    value = helper.make_tensor_value_info("inside", TensorProto.FLOAT, None)
    bodies = [helper.make_graph([helper.make_node(op, [x], ["inside"])], op, [], [value]) for op in ("Neg", "Identity")]
    y = made.node("If", made.constant(np.array(True)), then_branch=bodies[0], else_branch=bodies[1])
    return made.model(made.conv(x, 8, 4), y)


def moved(made: Net) -> ModelProto:
    """Every way of moving values that works on integers as well."""
    x = made.node("Relu", made.conv(image(made), 3, 16))
    x = made.node("Unsqueeze", x, made.constant(np.array([0])))
    x = made.node("Expand", x, made.constant(np.array([3, 1, 16, 16, 16])))
    x = made.node("Tile", x, made.constant(np.array([1, 1, 1, 1, 2])))
    x = made.node("Gather", x, made.constant(np.array(2)), axis=0)
    x = made.node("Identity", made.node("Transpose", x, perm=[0, 1, 3, 2]))
    x = made.node("Pad", x, made.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), mode="reflect")
    x = made.node("Slice", x, *(made.constant(np.array([n])) for n in (-1, -20, 2, -1)))
    return made.model(made.conv(x, 16, 4))


def signal(made: Net) -> ModelProto:
    x = made.input("signal", 1, 2, 64)
    x = made.node("Relu", made.node("Conv", x, made.weight(16, 2, 5), made.weight(16), auto_pad="SAME_UPPER"))
    x = made.node("MaxPool", x, kernel_shape=[2], strides=[2])
    return made.model(made.node("Conv", x, made.weight(8, 16, 3), dilations=[2]))


def volume(made: Net) -> ModelProto:
    x = made.input("volume", 1, 1, 8, 8, 8)
    x = made.node("Relu", made.node("Conv", x, made.weight(16, 1, 3, 3, 3), made.weight(16)))
    return made.model(made.node("Conv", x, made.weight(8, 16, 3, 3, 3)))


def segmenter(made: Net) -> ModelProto:
    """Values that are moved, clipped and joined in odd places."""
    x = made.node("Relu", made.conv(image(made), 3, 16))
    low = made.node("Relu", made.conv(made.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 16, 16))
    high = made.node("Resize", low, "", made.constant(np.array([1.0, 1.0, 2.0, 2.0])), mode="linear")
    x = made.node("Add", made.node("Concat", x, high, axis=1), made.weight(1, 32, 1, 1))
    x = made.node("Clip", x, made.constant(np.float32(-0.3)), made.constant(np.float32(0.4)))
    return made.model(made.conv(made.node("HardSigmoid", x), 32, 4))


NETS: dict[str, Callable[[Net], ModelProto]] = {
    build.__name__: build
    for build in (
        classifier,
        residual,
        padded_shortcut,
        mobile,
        squeeze_excite,
        swish,
        branches,
        split,
        upsample,
        late_relu,
        inner_output,
        shared_weight,
        gemm_factors,
        attention,
        captured,
        moved,
        signal,
        volume,
        segmenter,
    )
}


def calibrated(bench: Bench, model: ModelProto, **settings: object) -> Path:
    source, out = bench.save(model), bench.folder / "calibrated.onnx"
    settings = {"calibrator": "minmax", **settings}
    int8(QuantizeInt8(**settings), source, out, bench.feeds(model, 40), Silent())  # type: ignore[arg-type]
    return out


def lowered(bench: Bench, source: Path, target: str, say: Silent | None = None) -> Path:
    out = bench.folder / f"{target}.onnx"
    lower(source, out, target, say or Silent())
    return out


def likeness(bench: Bench, before: Path | ModelProto, after: Path, feeds: list[dict[str, np.ndarray]]) -> float:
    """The least cosine over the outputs."""
    found = []
    runs = [(bench.run(before, feed), bench.run(after, feed)) for feed in feeds]
    for index in range(len(runs[0][0])):
        a, b = (np.concatenate([run[side][index].ravel() for run in runs]).astype(np.float64) for side in (0, 1))
        found.append(float(a @ b / np.sqrt((a @ a) * (b @ b))))
    return min(found)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("build", NETS.values(), ids=NETS)
def test_a_lowered_graph_says_what_fp32_says(
    net: type[Net], bench: Bench, build: Callable[[Net], ModelProto], target: str
) -> None:
    model = build(net())
    out = lowered(bench, calibrated(bench, model), target)
    assert likeness(bench, model, out, list(bench.feeds(model, 8, seed=1))) > 0.99
    assert not [entry.key for entry in onnx.load(out).metadata_props if entry.key.startswith("edgetui.")]


@pytest.mark.parametrize("build", NETS.values(), ids=NETS)
def test_tensorrt_reads_the_graph(net: type[Net], bench: Bench, build: Callable[[Net], ModelProto]) -> None:
    model = onnx.load(lowered(bench, calibrated(bench, build(net())), "tensorrt"))
    assert lint(model, "tensorrt") == []
    assert hints(model, "tensorrt") == []
    makers = {name: node for node in model.graph.node for name in node.output}
    assert all(makers[value.name].op_type not in QUANTIZED for value in model.graph.output)
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm") and len(node.input) > 2:
            assert held[node.input[2]].data_type == TensorProto.FLOAT


INTEGER = {
    "classifier": {"QLinearConv", "NhwcMaxPool", "QLinearGlobalAveragePool", "QGemm"},
    "residual": {"QLinearConv", "QLinearAdd", "Slice"},
    "padded_shortcut": {"QLinearConv", "QLinearAdd", "Pad"},
    "mobile": {"QLinearConv"},
    "squeeze_excite": {"QLinearConv", "QLinearGlobalAveragePool", "QLinearSigmoid", "QLinearMul"},
    "swish": {"QLinearConv", "QLinearSigmoid", "QLinearMul"},
    "branches": {"QLinearConv", "QLinearLeakyRelu", "QLinearAveragePool", "QLinearConcat"},
    "split": {"QLinearConv", "QLinearConcat", "Split", "Resize"},
    "moved": {"QLinearConv", "Expand", "Tile", "Gather", "Slice", "Unsqueeze"},
    "late_relu": {"QLinearConv", "QLinearAdd", "Clip"},
    "shared_weight": {"QLinearConv", "QLinearGlobalAveragePool", "QLinearMatMul", "QGemm"},
    "gemm_factors": {"QGemm"},
}
"""What ONNX Runtime on x86 has left, beside Q at the way in, DQ at the way out, and what moves values about."""


@pytest.mark.parametrize("name", INTEGER)
def test_nothing_between_input_and_output_is_float_on_x86(net: type[Net], bench: Bench, name: str) -> None:
    if not multiplies_bytes_exactly() and name == "late_relu":
        pytest.skip("without VNNI the optimiser keeps another form")
    left = bench.optimised(lowered(bench, calibrated(bench, NETS[name](net())), "onnxruntime-x86"))
    moving = {"Transpose", "Pad", "Flatten", "Reshape", "Squeeze"}
    assert set(left) - moving - set(QUANTIZED) == INTEGER[name] - moving
    assert left.count("QuantizeLinear") == 1
    assert left.count("DequantizeLinear") <= 1


def test_products_of_attention_are_integer(net: type[Net], bench: Bench) -> None:
    left = bench.optimised(lowered(bench, calibrated(bench, attention(net())), "onnxruntime-x86"))
    assert sum(left.count(kind) for kind in ("MatMulIntegerToFloat", "QLinearMatMul", "QGemm")) == 7
    assert "MatMul" not in left
    assert "FusedMatMul" not in left


@pytest.mark.parametrize("opset", [9, 11, 12, 13, 17, 20, 21, 22, 23])
def test_opsets_as_found_in_the_wild(net: type[Net], bench: Bench, opset: int) -> None:
    if opset == 23 and tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 24):
        pytest.skip("this onnxruntime has no QuantizeLinear of opset 23")
    made = net(opset)
    x = made.node("Relu", made.conv(image(made), 3, 16))
    x = made.node("Flatten", made.node("GlobalAveragePool", x))
    model = made.model(made.node("Gemm", x, made.weight(10, 16), made.weight(10), transB=1))
    source = calibrated(bench, model)
    feeds = list(bench.feeds(model, 4, seed=1))
    for target in TARGETS:
        out = lowered(bench, source, target)
        assert likeness(bench, model, out, feeds) > 0.99
        assert max(entry.version for entry in onnx.load(out).opset_import if not entry.domain) == max(opset, 13)
    assert "QLinearConv" in bench.optimised(bench.folder / "onnxruntime-x86.onnx")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
def test_schemes(net: type[Net], bench: Bench, scheme: str, per_channel: bool, target: str) -> None:
    model = residual(net())
    say = Silent()
    out = lowered(bench, calibrated(bench, model, scheme=scheme, per_channel=per_channel), target, say)
    assert likeness(bench, model, out, list(bench.feeds(model, 8, seed=1))) > 0.99
    assert bool(say.warnings) == (scheme == "affine" and target == "tensorrt")
    points = [t for t in onnx.load(out).graph.initializer if t.name.startswith("w") and t.name.endswith("zero_point")]
    single = not per_channel or (scheme == "affine" and target != "tensorrt")
    assert {len(point.dims) for point in points} == {int(not single)}
    assert any(numpy_helper.to_array(point).any() for point in points) == (scheme == "affine" and target != "tensorrt")


def test_an_affine_file_holds_the_papers_numbers(net: type[Net], bench: Bench) -> None:
    made = net()
    model = made.model(made.node("Conv", image(made), made.weight(4, 3, 3, 3), name="only"))
    source = calibrated(bench, model, scheme="affine", per_channel=False)
    wish = read_int8(onnx.load(source))
    assert wish is not None
    held = {t.name: numpy_helper.to_array(t) for t in onnx.load(lowered(bench, source, "onnxruntime-arm")).graph.initializer}
    low, high = wish.ranges["image"]
    scale = (high - low) / 255
    assert float(held["image_scale"]) == pytest.approx(scale)
    assert int(held["image_zero_point"]) == np.floor(127 - high / scale + 0.5)
    weights = numpy_helper.to_array(model.graph.initializer[0])
    scale = (weights.max() - weights.min()) / 255
    point = np.floor(127 - weights.max() / scale + 0.5)
    expected = np.clip(np.floor(weights / scale + point + 0.5), -128, 127)
    assert np.abs(held["w0_int8"] - expected).max() <= 1  # a value on the edge of a step may fall to either side in float32
    assert (held["w0_int8"] != expected).mean() < 0.02


def test_the_file_is_a_quarter(net: type[Net], bench: Bench) -> None:
    made = net()
    x = made.node("Relu", made.conv(image(made), 3, 64))
    for _ in range(3):
        x = made.node("Relu", made.conv(x, 64, 64))
    source = calibrated(bench, made.model(x))
    out = lowered(bench, source, "onnxruntime-x86")
    assert out.stat().st_size < 0.3 * source.stat().st_size
    assert not [t.name for t in onnx.load(out).graph.initializer if t.data_type == TensorProto.FLOAT and np.prod(t.dims) > 64]


def test_few_input_channels_are_filled_on_x86_only(net: type[Net], bench: Bench) -> None:
    source = calibrated(bench, classifier(net()))
    shapes = {}
    for target in ("onnxruntime-x86", "onnxruntime-arm"):
        model = onnx.load(lowered(bench, source, target))
        shapes[target] = next(tuple(t.dims) for t in model.graph.initializer if t.name == "w0_int8")
    assert shapes == {"onnxruntime-x86": (16, 4, 3, 3), "onnxruntime-arm": (16, 3, 3, 3)}


def test_no_pair_stands_between_a_convolution_and_its_relu_for_tensorrt(net: type[Net], bench: Bench) -> None:
    model = onnx.load(lowered(bench, calibrated(bench, residual(net())), "tensorrt"))
    users: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type == "Conv":
            assert all(user.op_type not in QUANTIZED for user in users.get(node.output[0], []))
        if node.op_type in ("Add", "Sum"):
            assert sorted(makers[name].op_type for name in node.input) == ["Conv", "DequantizeLinear"]


def test_what_nobody_marked_passes_through(net: type[Net], bench: Bench) -> None:
    model = residual(net())
    for target in TARGETS:
        assert onnx.load(lowered(bench, bench.save(model), target)) == model


def test_half_precision_beside_integers_for_tensorrt(net: type[Net], bench: Bench) -> None:
    from edgetui.engine.graph import metadata

    model = attention(net())
    source = calibrated(bench, model)
    marked = onnx.load(source)
    metadata.put(marked, "fp16", {"keep": []})
    onnx.save(marked, source)
    out = lowered(bench, source, "tensorrt")
    assert lint(onnx.load(out), "tensorrt") == []
    assert likeness(bench, model, out, list(bench.feeds(model, 4, seed=1))) > 0.99
    assert any(t.data_type == TensorProto.FLOAT16 for t in onnx.load(out).graph.initializer)
    kept = onnx.load(lowered(bench, source, "onnxruntime-x86"))
    assert not any(t.data_type == TensorProto.FLOAT16 for t in kept.graph.initializer)
    assert not kept.metadata_props


def test_a_damaged_mark_is_refused(net: type[Net], bench: Bench) -> None:
    model = classifier(net())
    model.metadata_props.add(key="edgetui.int8", value='{"ranges": {"image": "wide"}}')
    with pytest.raises(ModelRefused, match=r"edgetui\.int8"):
        lower(bench.save(model), bench.folder / "out.onnx", "tensorrt", Silent())


def test_ranges_of_another_model_are_refused(net: type[Net], bench: Bench) -> None:
    model = classifier(net())
    write_int8(model, Int8(ranges={"elsewhere": (0.0, 1.0)}))
    for target in TARGETS:
        with pytest.raises(ModelRefused, match="no node"):
            lower(bench.save(model), bench.folder / "out.onnx", target, Silent())


def test_an_unknown_target_is_refused(net: type[Net], bench: Bench) -> None:
    with pytest.raises(UsageError, match="onnxruntime-x68"):
        lower(bench.save(classifier(net())), bench.folder / "out.onnx", "onnxruntime-x68", Silent())


@pytest.mark.parametrize(
    ("flags", "exact"),
    [("fpu sse2 avx2 fma", False), ("fpu avx2 avx512f avx512bw", False), ("avx2 avx512_vnni", True), ("avx2 avx_vnni", True)],
)
def test_vnni_is_read_from_the_processors_flags(tmp_path: Path, flags: str, exact: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: spectre_v1\n")
    assert multiplies_bytes_exactly(tmp_path / "cpuinfo", machine="x86_64") is exact
    assert multiplies_bytes_exactly(tmp_path / "absent", machine="x86_64") is False
    assert multiplies_bytes_exactly(tmp_path / "absent", machine="aarch64") is True
