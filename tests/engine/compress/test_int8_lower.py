"""Lowering: every kind of graph, for every target, runs in integers and says about what FP32 says."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from edgetui.engine.compress.annotations import Int8, read_int8, write_int8
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.quantize import int8
from edgetui.engine.errors import ModelRefused, UsageError
from edgetui.engine.schema.steps import QuantizeInt8
from edgetui.engine.system.cpu import read_processor
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.system.root_files import Files
from kinds import NETS, attention, classifier, image, residual
from nodes import Bench, Net
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from refusals import lint_lines, split_activations

TARGETS = ("onnxruntime-x86", "onnxruntime-arm", "tensorrt")
QUANTIZED = ("QuantizeLinear", "DequantizeLinear")


_CALIBRATED: dict[tuple[bytes, str], bytes] = {}
"""By model and settings: every target, and every look at a kind of graph, starts from the same file."""


def calibrated(bench: Bench, model: ModelProto, **settings: object) -> Path:
    source, out = bench.save(model), bench.folder / "calibrated.onnx"
    step = QuantizeInt8(**{"calibrator": "minmax", **settings})  # type: ignore[arg-type]
    key = source.read_bytes(), repr(step)
    if key not in _CALIBRATED:
        int8(step, source, out, bench.feeds(model, 40), NullReporter())
        _CALIBRATED[key] = out.read_bytes()
    out.write_bytes(_CALIBRATED[key])
    return out


def lowered(bench: Bench, source: Path, target: str, say: NullReporter | None = None) -> Path:
    out = bench.folder / f"{target}.onnx"
    lower(source, out, target, say or NullReporter())
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
    assert lint_lines(model, "tensorrt") == []
    assert split_activations(model) == []
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
    if not read_processor().multiplies_bytes_exactly and name == "late_relu":
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
    say = NullReporter()
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
    annotation = read_int8(onnx.load(source))
    assert annotation is not None
    held = {t.name: numpy_helper.to_array(t) for t in onnx.load(lowered(bench, source, "onnxruntime-arm")).graph.initializer}
    low, high = annotation.ranges["image"]
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
    assert lint_lines(onnx.load(out), "tensorrt") == []
    assert likeness(bench, model, out, list(bench.feeds(model, 4, seed=1))) > 0.99
    assert any(t.data_type == TensorProto.FLOAT16 for t in onnx.load(out).graph.initializer)
    kept = onnx.load(lowered(bench, source, "onnxruntime-x86"))
    assert not any(t.data_type == TensorProto.FLOAT16 for t in kept.graph.initializer)
    assert not kept.metadata_props


def test_a_damaged_mark_is_refused(net: type[Net], bench: Bench) -> None:
    model = classifier(net())
    model.metadata_props.add(key="edgetui.int8", value='{"ranges": {"image": "wide"}}')
    with pytest.raises(ModelRefused, match=r"edgetui\.int8"):
        lower(bench.save(model), bench.folder / "out.onnx", "tensorrt", NullReporter())


def test_ranges_of_another_model_are_refused(net: type[Net], bench: Bench) -> None:
    model = classifier(net())
    write_int8(model, Int8(ranges={"elsewhere": (0.0, 1.0)}))
    for target in TARGETS:
        with pytest.raises(ModelRefused, match="no node"):
            lower(bench.save(model), bench.folder / "out.onnx", target, NullReporter())


def test_an_unknown_target_is_refused(net: type[Net], bench: Bench) -> None:
    with pytest.raises(UsageError, match="onnxruntime-x68"):
        lower(bench.save(classifier(net())), bench.folder / "out.onnx", "onnxruntime-x68", NullReporter())


@pytest.mark.parametrize(
    ("flags", "exact"),
    [("fpu sse2 avx2 fma", False), ("fpu avx2 avx512f avx512bw", False), ("avx2 avx512_vnni", True), ("avx2 avx_vnni", True)],
)
def test_vnni_is_read_from_the_processors_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, exact: bool
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: spectre_v1\n")
    there, nowhere = Files(str(tmp_path)), Files(str(tmp_path / "absent"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert read_processor(there).multiplies_bytes_exactly is exact
    assert read_processor(nowhere).multiplies_bytes_exactly is False
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert read_processor(nowhere).multiplies_bytes_exactly is True
