"""`quantize.int8` as a step: what it leaves in the file, exclusions, refusals, and real networks through all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.annotations import read_int8
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.quantize import int8
from edgetui.engine.data.open import open_samples
from edgetui.engine.errors import DataRefused, ModelRefused, RecipeRefused
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.steps import QuantizeInt8
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, TensorProto, helper, numpy_helper
from refusals import lint_lines

if TYPE_CHECKING:
    from .conftest import Bench, Net


def network(net: type[Net]) -> ModelProto:
    made = net()
    x = made.input("image", 1, 3, 8, 8)
    x = made.node("Relu", made.node("Conv", x, made.weight(8, 3, 3, 3), name="/stem/Conv"), name="/stem/Relu")
    x = made.node("Relu", made.node("Conv", x, made.weight(8, 8, 3, 3), name="/head/Conv"), name="/head/Relu")
    x = made.node("Flatten", x, name="/head/Flatten")
    return made.model(made.node("Gemm", x, made.weight(10, 128), transB=1, name="/head/Gemm"))


def quantized(bench: Bench, model: ModelProto, count: int = 40, **settings: object) -> tuple[Path, str, NullReporter]:
    say = NullReporter()
    out = bench.folder / "calibrated.onnx"
    line = int8(QuantizeInt8(**settings), bench.save(model), out, bench.feeds(model, count), say)  # type: ignore[arg-type]
    return out, line, say


def test_the_graph_stays_and_the_ranges_are_beside_it(net: type[Net], bench: Bench) -> None:
    model = network(net)
    out, line, say = quantized(bench, model, calibrator="entropy")
    marked = onnx.load(out)
    annotation = read_int8(marked)
    assert annotation is not None
    assert (annotation.calibrator, annotation.samples, annotation.scheme, annotation.per_channel) == (
        "entropy",
        40,
        "symmetric",
        True,
    )
    assert set(annotation.ranges) == {"image", "t1", "t3"}
    assert all(low <= 0 <= high for low, high in annotation.ranges.values())
    assert marked.graph == model.graph
    assert "40 samples" in line
    assert say.warnings == []


def test_calibrating_twice_keeps_the_last(net: type[Net], bench: Bench) -> None:
    out, _, _ = quantized(bench, network(net), calibrator="minmax")
    int8(QuantizeInt8(calibrator="mse"), out, out, bench.feeds(network(net), 33), NullReporter())
    annotation = read_int8(onnx.load(out))
    assert annotation is not None
    assert (annotation.calibrator, annotation.samples) == ("mse", 33)


@pytest.mark.parametrize("calibrator", ["minmax", "entropy", "percentile", "mse"])
def test_every_calibrator_serves_every_target(net: type[Net], bench: Bench, calibrator: str) -> None:
    model = network(net)
    out, _, _ = quantized(bench, model, calibrator=calibrator)
    feed = next(bench.feeds(model, 1, seed=5))
    expected = bench.run(model, feed)[0].ravel()
    for target in ("onnxruntime-x86", "onnxruntime-arm", "tensorrt"):
        lower(out, bench.folder / "low.onnx", target, NullReporter())
        found = bench.run(bench.folder / "low.onnx", feed)[0].ravel()
        assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > 0.98


@pytest.mark.parametrize(
    ("exclude", "left"),
    [(("/stem/Conv",), {"/stem/Conv"}), (("/head/*",), {"/head/Conv", "/head/Gemm"}), (("Gemm",), {"/head/Gemm"})],
)
def test_excluded_nodes_stay_in_float(net: type[Net], bench: Bench, exclude: tuple[str, ...], left: set[str]) -> None:
    model = network(net)
    out, _, _ = quantized(bench, model, exclude=exclude)
    for target in ("onnxruntime-x86", "onnxruntime-arm", "tensorrt"):
        lower(out, bench.folder / "low.onnx", target, NullReporter())
        graph = onnx.load(bench.folder / "low.onnx").graph
        floats = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
        weighted = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
        assert {node.name for node in weighted if node.input[1] in floats} == left


def test_an_exclusion_that_means_nothing_names_near_ones(net: type[Net], bench: Bench) -> None:
    with pytest.raises(RecipeRefused, match="/head/Conv"):
        quantized(bench, network(net), exclude=("/head/Cnov",))


def test_excluding_everything_is_refused(net: type[Net], bench: Bench) -> None:
    with pytest.raises(RecipeRefused, match="leaves nothing"):
        quantized(bench, network(net), exclude=("Conv", "Gemm"))


def test_a_model_without_weights_is_refused(net: type[Net], bench: Bench) -> None:
    made = net()
    model = made.model(made.node("Relu", made.input("image", 1, 3, 8, 8)))
    with pytest.raises(RecipeRefused, match="nothing to quantize"):
        quantized(bench, model)


def test_weights_in_half_precision_are_refused(net: type[Net], bench: Bench) -> None:
    model = network(net)
    from edgetui.engine.compress.half import to_fp16

    with pytest.raises(RecipeRefused, match="not FP32"):
        quantized(bench, to_fp16(model, ()))


def test_few_samples_are_said(net: type[Net], bench: Bench) -> None:
    _, _, say = quantized(bench, network(net), count=5)
    assert "5 samples only" in say.warnings[0]


def test_no_samples_are_refused(net: type[Net], bench: Bench) -> None:
    with pytest.raises(DataRefused):
        quantized(bench, network(net), count=0)


def test_what_comes_before_an_operator_nobody_knows_is_calibrated(net: type[Net], bench: Bench) -> None:
    made = net()
    x = made.conv(made.input("image", 1, 3, 8, 8), 3, 8)
    model = made.model(made.conv(x, 8, 8))
    model.graph.node[1].domain = "com.example"
    model.opset_import.add(domain="com.example", version=1)
    calibrated, _, _ = quantized(bench, model)
    annotation = read_int8(onnx.load(calibrated))
    assert annotation is not None
    assert annotation.ranges.keys() == {"image", "t0"}


def test_resnet20_keeps_its_predictions(bench: Bench, shared: Path) -> None:
    (bench.folder / "cifar10.toml").write_text(
        f'kind = "image-folder"\npath = "{shared}/cifar10/test.zip"\ncalibration = "{shared}/cifar10/train.zip"\n'
        "[input]\nsize = [32, 32]\nmean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n"
    )
    dataset = read_dataset(str(bench.folder / "cifar10.toml"), {})
    image = TensorFacts(name="image", dtype="float", shape=("batch", 3, 32, 32))
    calibration, evaluation = (
        open_samples(dataset, [image], {"image": (1, 3, 32, 32)}, part, 0, NullReporter())
        for part in ("calibration", "evaluation")
    )
    source = shared / "models" / "resnet20_cifar10.onnx"
    feeds = (batch.feeds for batch in calibration.take(64).batches(1))
    int8(QuantizeInt8(), source, bench.folder / "calibrated.onnx", feeds, NullReporter())
    shown = [batch.feeds for batch in evaluation.take(300).batches(100)]
    before = [bench.run(source, feed)[0].argmax(1) for feed in shown]
    for target in ("onnxruntime-x86", "tensorrt"):
        out = bench.folder / f"{target}.onnx"
        lower(bench.folder / "calibrated.onnx", out, target, NullReporter())
        after = [bench.run(out, feed)[0].argmax(1) for feed in shown]
        assert (np.concatenate(before) == np.concatenate(after)).mean() > 0.95
    assert lint_lines(onnx.load(bench.folder / "tensorrt.onnx"), "tensorrt") == []
    left = bench.optimised(bench.folder / "onnxruntime-x86.onnx")
    assert not {"Conv", "Add", "Relu", "DequantizeLinear", "ReduceMean", "Gemm"} & set(left)
    assert left.count("QLinearConv") == 21  # the two shortcuts are convolutions now
    assert (bench.folder / "onnxruntime-x86.onnx").stat().st_size < 0.33 * source.stat().st_size


def test_a_face_detector_of_opset_9_keeps_its_outputs(bench: Bench, shared: Path) -> None:
    normal, calibrated = bench.folder / "normal.onnx", bench.folder / "calibrated.onnx"
    normalise(shared / "models" / "ultraface_rfb320.onnx", normal, {"input": (1, 3, 240, 320)}, NullReporter())
    feeds = [{"input": np.random.default_rng(seed).normal(0, 0.4, (1, 3, 240, 320)).astype(np.float32)} for seed in range(6)]
    int8(QuantizeInt8(calibrator="minmax"), normal, calibrated, feeds, NullReporter())
    before = bench.run(normal, feeds[0])
    for target in ("onnxruntime-x86", "tensorrt"):
        lower(calibrated, bench.folder / f"{target}.onnx", target, NullReporter())
        for expected, found in zip(before, bench.run(bench.folder / f"{target}.onnx", feeds[0]), strict=True):
            assert np.abs(expected - found).max() < 0.1
    assert lint_lines(onnx.load(bench.folder / "tensorrt.onnx"), "tensorrt") == []
    assert bench.optimised(bench.folder / "onnxruntime-x86.onnx").count("QLinearConv") == 52


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_refused(net: type[Net], bench: Bench, value: float) -> None:
    """Its channel would become zeros, and the outputs finite where the model's are not."""
    model = network(net)
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 2)
    array = numpy_helper.to_array(weight).copy()
    array[0, 0] = value
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    with pytest.raises(ModelRefused, match="infinite or not numbers"):
        quantized(bench, model)
    quantized(bench, model, exclude=("/head/Gemm",))


def test_outputs_that_are_no_tensors(net: type[Net], bench: Bench) -> None:
    made = net()
    x = made.node("MatMul", made.input("x", 1, 8), made.weight(8, 6))
    model = made.model(made.node("SplitToSequence", x, axis=1))
    model.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info(model.graph.output[0].name, TensorProto.FLOAT, None))
    _, line, _ = quantized(bench, model)
    assert "1 tensors calibrated" in line


def test_half_floats_beside_int8_raise_the_opset_for_tensorrt(net: type[Net], bench: Bench) -> None:
    """A model that is half floats in part already: TensorRT reads Q/DQ beside them from opset 19 on."""
    made = net()
    x = made.node("Cast", made.node("MatMul", made.input("x", 1, 8), made.weight(8, 8)), to=TensorProto.FLOAT16)
    x = made.node("Cast", made.node("Relu", x), to=TensorProto.FLOAT)
    out, _, _ = quantized(bench, made.model(made.node("MatMul", x, made.weight(8, 6))))
    lower(out, bench.folder / "lowered.onnx", "tensorrt", NullReporter())
    assert lint_lines(onnx.load(bench.folder / "lowered.onnx"), "tensorrt") == []
