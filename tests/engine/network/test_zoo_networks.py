"""The zoo: each architecture is a valid file, runs, trains as a module, and is taken by what compresses."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from edgetui.engine.compress.channels import prune
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.quantize import int8
from edgetui.engine.errors import UsageError
from edgetui.engine.graph.load import load, save
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.network.zoo.__main__ import main
from edgetui.engine.network.zoo.anchor_free import STRIDES, places
from edgetui.engine.network.zoo.catalogue import ARCHITECTURES, made
from edgetui.engine.schema.steps import PruneChannels, QuantizeInt8
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.decoder import Asked
from edgetui.engine.tasks.part_affinity import PartAffinity
from edgetui.engine.tasks.yolo import RawYolo8
from onnx import ModelProto, TensorProto

TINY: dict[str, dict[str, float]] = {
    **{name: {"width": 0.25} for name in ARCHITECTURES},
    "resnet18": {"width": 0.125, "side": 64, "classes": 10},
    "pose-resnet18": {"width": 0.0625, "side": 64},
    "yolo-n": {"width": 0.0625, "side": 64, "classes": 3},
    "yolo-s": {"width": 0.0625, "side": 64, "classes": 3},
    "yolo-m": {"width": 0.0625, "side": 64, "classes": 3},
    **{name: {"width": 0.25, "tokens": 12, "vocabulary": 50} for name in ("text-cnn", "lstm", "gru", "transformer")},
}


def tiny(name: str, **more: float) -> ModelProto:
    return made(name, **{**TINY[name], **more})


def feeds(model: ModelProto, samples: int = 2) -> dict[str, np.ndarray]:
    draw, found = np.random.default_rng(1), {}
    for value in model.graph.input:
        shape = [samples, *(axis.dim_value for axis in value.type.tensor_type.shape.dim[1:])]
        whole = value.type.tensor_type.elem_type == TensorProto.INT64
        most = 2 if "mask" in value.name else 50
        found[value.name] = draw.integers(0, most, shape) if whole else draw.standard_normal(shape).astype(np.float32)
    return found


def outputs(model: ModelProto | Path, fed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    given = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = ort.InferenceSession(given, providers=["CPUExecutionProvider"])
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, fed), strict=True))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_runs_with_the_shapes_that_it_declares(name):
    model = tiny(name)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    found = outputs(model, feeds(model))
    for value in model.graph.output:
        shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        assert list(found[value.name].shape) == [2, *shape[1:]]
        assert np.isfinite(found[value.name]).all()
        assert np.ptp(found[value.name][0] - found[value.name][1]) > 0, "what goes in does not matter"


QUICK = ("resnet8", "vgg11", "mobilenet-v1", "yolo-n", "text-cnn", "lstm", "transformer")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in ARCHITECTURES]
)
def test_channels_and_eight_bits_are_taken(name, tmp_path):
    say = NullReporter()
    whole, normal, narrow, marked, eight = (tmp_path / f"{each}.onnx" for each in ("a", "b", "c", "d", "e"))
    model = tiny(name)
    onnx.save(model, whole)
    normalise(whole, normal, {}, say)
    fed = feeds(model, 1)
    steps = PruneChannels(amount=0.25, round_to=1, statistics=False, repair=False)
    if name in ("lstm", "gru"):
        narrow = normal  # their states are no channels that can be followed
    else:
        prune(steps, normal, narrow, None, say)
        assert inspect(narrow, {}).parameters < inspect(normal, {}).parameters
    int8(QuantizeInt8(), narrow, marked, [feeds(model, 1) for _ in range(2)], say)
    lower(marked, eight, "onnxruntime-x86", say)
    shapes = {key: value.shape for key, value in outputs(normal, fed).items()}
    for file in (narrow, eight):
        save(load(file), whole)
        onnx.checker.check_model(onnx.load(whole), full_check=True)
        found = outputs(file, fed)
        assert {key: value.shape for key, value in found.items()} == shapes
        assert all(np.isfinite(value).all() for value in found.values())
    assert any(node.op_type == "QuantizeLinear" for node in onnx.load(eight).graph.node)


def test_a_detector_is_read_as_ultralytics_exports_are():
    model = tiny("yolo-n")
    found = outputs(model, feeds(model))
    (decoder,) = RawYolo8.fitting(found, Asked((64, 64), None, 2))
    assert (decoder.sure, decoder.classes) == (True, 3)
    sizes = found["output0"][:, 2:4]
    assert sizes.min() >= 0
    scores = found["output0"][:, 4:]
    assert 0 <= scores.min() <= scores.max() <= 1


def test_places_of_a_detector_lie_in_the_middle_of_their_cells():
    middles, strides = places(64, 64)
    assert middles.shape == (2, sum((64 // stride) ** 2 for stride in STRIDES))
    assert middles[:, 0].tolist() == [4, 4]
    assert middles[:, 1].tolist() == [12, 4]
    assert middles[:, -1].tolist() == [48, 48]
    assert strides[[0, -1]].tolist() == [8, 32]


def test_the_maps_of_a_pose_network_are_those_of_trt_pose():
    model = tiny("pose-resnet18")
    found = outputs(model, feeds(model))
    assert (found["cmap"].shape, found["paf"].shape) == ((2, 18, 16, 16), (2, 42, 16, 16))
    assert len(list(PartAffinity.fitting(found, Asked((64, 64), None, 2)))) == 1


def test_padding_changes_no_text():
    model = tiny("transformer")
    ids, mask = np.full((2, 12), 7), np.zeros((2, 12), np.int64)
    ids[1, 5:], mask[:, :5] = 9, 1
    one, other = outputs(model, {"input_ids": ids, "attention_mask": mask})["logits"]
    assert np.allclose(one, other, atol=1e-6)
    shown = outputs(model, {"input_ids": ids, "attention_mask": np.ones_like(mask)})["logits"]
    assert not np.allclose(shown[0], shown[1], atol=1e-3)


def test_the_seed_makes_the_file():
    def of(seed: int) -> str:
        return hashlib.sha256(tiny("resnet20", seed=seed).SerializeToString()).hexdigest()

    assert of(1) == of(1) != of(2)


@pytest.mark.parametrize(
    ("name", "layers"),
    [("resnet20", 20), ("resnet32", 32), ("resnet56", 56), ("resnet18", 18), ("vgg11", 9), ("vgg16", 14), ("densenet", 40)],
)
def test_the_depth_is_that_of_the_paper(name, layers):
    """Layers with weights; those that only change a shape do not count. VGG has one fully connected layer for three."""
    model = tiny(name)
    counted = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm") and "downsample" not in node.name]
    assert len(counted) == layers


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet18", 11.69), ("yolo-n", 3.16), ("yolo-s", 11.17), ("yolo-m", 25.90)],
)
@pytest.mark.long
def test_at_full_width_there_are_as_many_weights_as_published(name, millions):
    """torchvision's ResNet-18, and what Ultralytics tells of YOLOv8 n, s and m."""
    model = made(name)
    weights = [tensor for tensor in model.graph.initializer if len(tensor.dims) in (1, 2, 4)]
    count = sum(
        np.prod(tensor.dims) for tensor in weights if not tensor.name.endswith(("running_mean", "running_var", "strides"))
    )
    assert count / 1e6 == pytest.approx(millions, rel=0.005)


def test_the_command_writes_a_file(tmp_path, capsys):
    out = tmp_path / "made.onnx"
    assert main(["resnet8", "--out", str(out), "--width", "0.25", "--classes", "7"]) == 0
    assert outputs(out, feeds(onnx.load(out)))["logits"].shape == (2, 7)
    assert capsys.readouterr().out.strip() == str(out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["resnet-20"], "did you mean `resnet20`?"),
        (["vgg11", "--width", "-1"], "give more than 0"),
        (["vgg11", "--side", "33"], "multiple of 8"),
        (["yolo-n", "--side", "72"], "multiple of 32"),
        (["text-cnn", "--tokens", "3"], "5 at least"),
        (["vgg11", "--classes", "100000000"], "at most"),
    ],
)
def test_what_cannot_be_made_is_said(tmp_path, capsys, arguments, words):
    assert main([*arguments, "--out", str(tmp_path / "made.onnx")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert words in said
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_said(tmp_path, capsys):
    assert main(["resnet8", "--out", str(tmp_path / "none" / "made.onnx")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    with pytest.raises(UsageError):
        made("resnet8", width=float("nan"))
