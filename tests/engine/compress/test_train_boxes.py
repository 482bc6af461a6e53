"""Training on boxes: the head is found in any export of it, its loss is the zoo's, and a pruned detector wins boxes back."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from edgetui.engine.compress.channels import prune
from edgetui.engine.compress.train.augment import Augment
from edgetui.engine.compress.train.finetune import finetune
from edgetui.engine.config import PACKAGE
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.errors import DataRefused, ModelRefused, RecipeRefused
from edgetui.engine.graph.fold import fold
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.network.zoo.anchor_free import BINS, RAW
from edgetui.engine.network.zoo.catalogue import made
from edgetui.engine.schema.spec import Dataset, ImageInput
from edgetui.engine.schema.steps import PruneChannels, TrainDistill, TrainFinetune, TrainPruneIterative, TrainQat
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.average_precision import PrecisionMeter
from edgetui.engine.tasks.boxes import Scene, TrueBoxes, letterboxed
from edgetui.engine.tasks.decoder import Asked
from edgetui.engine.tasks.find_decoder import find_decoder
from onnx import ModelProto, TensorProto, helper, numpy_helper
from PIL import Image

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is loaded: its threads wait for each other on a busy machine
torch = pytest.importorskip("torch", reason="needs torch")

from edgetui.engine.compress.train.box_head import BoxHead  # noqa: E402
from edgetui.engine.compress.train.box_marks import BoxMarks, WithBoxes, box_targets  # noqa: E402
from edgetui.engine.compress.train.distill import distill  # noqa: E402
from edgetui.engine.compress.train.learner import Marks  # noqa: E402
from edgetui.engine.compress.train.prepared import Prepared, begin_torch, prepared  # noqa: E402
from edgetui.engine.compress.train.prune_iterative import prune_iteratively  # noqa: E402
from edgetui.engine.compress.train.qat import qat  # noqa: E402
from edgetui.engine.network.zoo.anchor_free_loss import detection_loss  # noqa: E402

SIDE = 64
SHORT = TrainFinetune(epochs=2, batch=8, held_out=0.25)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny one as it is exported: batch norms folded, nothing inside named as the zoo names it."""
    folder = tmp_path_factory.mktemp("detector")
    model = fold(made("yolo-n", seed=0, width=0.0625, side=SIDE, classes=2))
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["inside" if name == RAW else name for name in names]
    onnx.save(model, folder / "whole.onnx")
    normalise(folder / "whole.onnx", folder / "model.onnx", {}, NullReporter())
    return folder / "model.onnx"


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark images, wider than high, each with a red or a green square; the last also has one that is called difficult."""
    folder, draw = tmp_path_factory.mktemp("squares"), np.random.default_rng(0)
    for number in range(80):
        pixels = draw.integers(0, 40, (48, 64, 3), np.uint8)
        left, top, side = *draw.integers(0, 28, 2).tolist(), int(draw.integers(12, 20))
        pixels[top : top + side, left : left + side, number % 2] = 255
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
        box = [("red", "green")[number % 2], 0, left, top, left + side, top + side]
        boxes = [box, ["red", 1, 1, 1, 9, 9]] if number == 79 else [box]
        (folder / f"{number:02}.xml").write_text(voc(boxes))
    return folder


def voc(boxes: list[list[object]]) -> str:
    said = "".join(
        f"<object><name>{name}</name><difficult>{hard}</difficult><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, hard, a, b, c, d in boxes
    )
    return f"<annotation><size><width>64</width><height>48</height></size>{said}</annotation>"


def opened(model: Path, folder: Path, classes: tuple[str, ...] = ("red", "green"), task: str = "detection") -> Samples:
    facts = inspect(model, {})
    data = Dataset(kind="detection", path=str(folder), task=task, classes=classes, input=ImageInput(letterbox=True))  # type: ignore[arg-type]
    return open_samples(data, facts.inputs, facts.shapes, "all", 0, NullReporter())


def ready_of(model: Path, samples: Samples) -> Prepared:
    begin_torch(0)
    return prepared(load(model), SHORT, samples, NullReporter())


def changed(path: Path, name: str, end: str) -> Path:
    """The model with another last node: `flip` has channels last, `twice` boxes twice as large, `shares` no units of pixels."""
    model = onnx.load(path)
    (output,) = model.graph.output
    model.graph.node[-1].output[0] = "before"
    factors = np.ones((1, 6, 1), np.float32)
    factors[:, :4] = {"twice": 2, "shares": 1 / SIDE}.get(end, 1)
    if end == "flip":
        model.graph.node.append(helper.make_node("Transpose", ["before"], [output.name], perm=[0, 2, 1]))
        shape = [axis.dim_value for axis in output.type.tensor_type.shape.dim]
        output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, [shape[0], shape[2], shape[1]]))
    else:
        model.graph.initializer.append(numpy_helper.from_array(factors, "factors"))
        model.graph.node.append(helper.make_node("Mul", ["before", "factors"], [output.name]))
    onnx.save(model, path.with_name(name))
    return path.with_name(name)


def raw_of(path: Path, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """The zoo's own raw tensor, by ONNX Runtime, a sample at a time."""
    model: ModelProto = onnx.load(path)
    model.graph.output.append(helper.make_tensor_value_info("inside", TensorProto.FLOAT, None))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["inside"], {"image": row[None]})[0] for row in feeds["image"]])


@pytest.mark.parametrize("end", ["plain", "flip"])
def test_the_head_is_found_by_what_it_gives_and_not_by_names(detector, squares, end):
    path = detector if end == "plain" else changed(detector, "flip.onnx", "flip")
    samples = opened(path, squares)
    ready = ready_of(path, samples)
    head = BoxHead(ready, 2)
    batch = next(samples.batches(4))
    ready.run(batch.feeds)
    distances, likely = head.inside()
    raw = raw_of(detector, batch.feeds)
    assert (head.size, head.classes) == ((SIDE, SIDE), 2)
    np.testing.assert_allclose(distances.detach().numpy(), raw[:, : 4 * BINS].transpose(0, 2, 1), atol=1e-3)
    np.testing.assert_allclose(likely.detach().numpy(), raw[:, 4 * BINS :].transpose(0, 2, 1), atol=1e-3)


def test_the_loss_is_the_zoos_over_boxes_as_they_lie_in_the_input(detector, squares):
    samples = opened(detector, squares)
    ready = ready_of(detector, samples)
    mark = BoxMarks(ready, samples, NullReporter())
    batch = next(samples.take(6).batches(6))
    marks = mark(batch)
    assert marks.right is None
    assert marks.losses.shape == (6,)
    scenes = batch.truths.scenes
    found = box_targets(scenes, (SIDE, SIDE), 2, "cpu")
    for place, scene in enumerate(scenes):  # 64 x 48 in the middle of 64 x 64
        np.testing.assert_allclose(found.corners[place, 0].numpy(), scene.truth.corners[0] + [0, 8, 0, 8])
    raw = torch.from_numpy(raw_of(detector, batch.feeds))
    assert float(marks.losses.detach().sum()) == pytest.approx(float(detection_loss(raw, found, SIDE)), rel=1e-4)


def scene(*corners: list[float], classes: list[int], passed_over: list[bool]) -> Scene:
    truth = TrueBoxes(
        np.array(corners, np.float64).reshape(-1, 4), np.array(classes, np.int64), np.array(passed_over, np.bool_)
    )
    return Scene(truth, letterboxed((64, 48), (SIDE, SIDE))[0])


def test_boxes_are_cut_and_those_that_are_passed_over_are_not_learnt():
    one = scene([-9, 0, 10, 10], [1, 1, 5, 5], [70, 0, 90, 9], classes=[1, 0, 1], passed_over=[False, True, False])
    found = box_targets((one, scene(classes=[], passed_over=[])), (SIDE, SIDE), 2, "cpu")
    assert found.there.tolist() == [[True], [False]]
    assert found.corners[0, 0].tolist() == [0, 8, 10, 18]
    assert found.classes[0, 0] == 1
    with pytest.raises(DataRefused, match="of class 1, and the model tells 1 apart"):
        box_targets((one,), (SIDE, SIDE), 1, "cpu")


@pytest.mark.parametrize("end", ["twice", "shares"])
def test_a_head_whose_boxes_are_made_otherwise_is_refused(detector, squares, end):
    path = changed(detector, f"{end}.onnx", end)
    samples = opened(path, squares)
    with pytest.raises(ModelRefused, match=r"no loss is known for this detector's head: its boxes .*; `train.distill`"):
        BoxMarks(ready_of(path, samples), samples, NullReporter())


def test_heads_without_a_known_loss_are_refused_and_a_student_learns_without(net, bench, squares, tmp_path):
    it = net()
    x = it.node("Relu", it.conv(it.input("image", 1, 3, 64, 64), 3, 4, strides=[8, 8]))
    flat = it.node("Reshape", it.conv(x, 4, 7 * 3, 1), it.constant(np.array([1, -1, 7])))
    path = bench.save(it.model(it.node("Sigmoid", flat)))
    samples = opened(path, squares)
    with pytest.raises(ModelRefused, match="no loss is known for this detector's head"):
        finetune(SHORT, path, tmp_path / "out.onnx", samples, NullReporter())
    told = NullReporter()
    step = TrainDistill(student=str(path), epochs=1)
    distill(step, path, tmp_path / "out.onnx", samples, told)
    assert any("no loss is known" in note and "all is learnt from the teacher" in note for note in told.notes)


def test_a_student_learns_from_boxes_as_well_as_from_its_teacher(detector, squares):
    samples = opened(detector, squares)
    ready = ready_of(detector, samples)
    boxes = BoxMarks(ready, samples, NullReporter())
    batch = next(samples.batches(4))

    def taught(given):
        ready.run(given.feeds)
        return Marks(torch.ones(given.n))

    both = WithBoxes(taught, boxes, 0.25)(batch).losses
    torch.testing.assert_close(both, 0.25 * boxes(batch).losses + 0.75)


def test_other_classes_are_refused(detector, squares):
    samples = opened(detector, squares, ("red", "green", "blue"))
    with pytest.raises(DataRefused, match="have 3 classes and the model's output tells 2 apart"):
        BoxMarks(ready_of(detector, samples), samples, NullReporter())


def test_images_without_boxes_are_no_labels(detector, squares):
    with pytest.raises(DataRefused, match="has no labels"):
        finetune(SHORT, detector, detector.with_name("out.onnx"), opened(detector, squares, task="none"), NullReporter())


def test_rounds_cannot_be_ended_by_an_accuracy_that_boxes_do_not_have(detector, squares, tmp_path):
    step = TrainPruneIterative(rounds=1, drop=0.01)
    with pytest.raises(RecipeRefused, match="told by accuracy, and boxes have only a loss"):
        prune_iteratively(step, detector, tmp_path / "out.onnx", opened(detector, squares), NullReporter())


@pytest.mark.parametrize("kind", ["flip", "shift"])
def test_boxes_go_with_images_that_are_mirrored_and_moved(detector, squares, kind):
    """Where the square is painted after the change, the box says that it is."""
    samples = opened(detector, squares)
    batch = next(samples.take(16).batches(16))
    step = TrainFinetune(flip=kind == "flip", shift=0.2 if kind == "shift" else 0.0)
    found = Augment(step, samples, NullReporter())(batch, np.random.default_rng(3))
    targets = box_targets(found.truths.scenes, (SIDE, SIDE), 2, "cpu")
    assert not np.array_equal(found.feeds["image"], batch.feeds["image"])
    for place, image in enumerate(found.feeds["image"]):
        kind_of, (left, top, right, bottom) = int(targets.classes[place, 0]), targets.corners[place, 0].numpy()
        rows, columns = np.nonzero(image[kind_of] > 0.9)
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == [left, top, right, bottom]


@pytest.mark.long
def test_what_was_broken_off_ends_as_what_was_not(detector, squares, tmp_path):
    class Broken(NullReporter):
        def learning(self, told):
            super().learning(told)
            if told.ended and told.epoch == 1:
                raise KeyboardInterrupt

    samples = opened(detector, squares)
    step = TrainFinetune(epochs=2, batch=8, held_out=0.25, flip=True, learning_rate=3e-3)
    text = finetune(step, detector, tmp_path / "whole.onnx", samples, NullReporter(), kept=tmp_path / "whole")
    assert "2 epochs over 60 samples, loss " in text
    assert "on 20 held out loss " in text
    with pytest.raises(KeyboardInterrupt):
        finetune(step, detector, tmp_path / "broken.onnx", samples, Broken(), kept=tmp_path / "kept")
    finetune(step, detector, tmp_path / "broken.onnx", samples, NullReporter(), kept=tmp_path / "kept")
    assert (tmp_path / "broken.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()


# On real images


def bccd(shared: Path, folder: Path, model: Path, part: str) -> Samples:
    """The test images that ship, and to learn from the other three quarters."""
    every = zipfile.ZipFile(shared / "bccd" / "bccd.zip")
    if not (folder / "learnt.zip").exists():
        with zipfile.ZipFile(folder / "learnt.zip", "w") as out:
            for place, name in enumerate(sorted(each for each in every.namelist() if each.endswith(".jpg"))):
                for kept in (name, f"annotations/{Path(name).stem}.xml") if place % 4 else ():
                    out.writestr(kept, every.read(kept))
    shipped = read_dataset(str(PACKAGE / "profiles" / "zoo" / "bccd.toml"), {})
    facts = inspect(model, {})
    data = Dataset(
        kind="detection",
        path=shipped.path,
        calibration=str(folder / "learnt.zip"),
        task="detection",
        classes=shipped.classes,
        input=shipped.input,
    )
    return open_samples(data, facts.inputs, facts.shapes, part, 0, NullReporter(), trains=True)  # type: ignore[arg-type]


def map50(path: Path, samples: Samples) -> float:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names, meter = [value.name for value in session.get_outputs()], PrecisionMeter()
    for batch in samples.batches(1):
        outputs = dict(zip(names, session.run(None, dict(batch.feeds)), strict=True))
        (found,) = find_decoder(outputs, Asked((224, 224), None, 1)).detections(outputs, 1)
        (one,) = batch.truths.scenes
        meter.add(replace(found, corners=one.laid.back(found.corners)), one.truth)
    return meter.figures().map50


@pytest.mark.long
def test_a_detector_without_a_quarter_of_its_channels_finds_cells_again(shared, tmp_path):
    """Of 0.740 nothing is left without repair; an epoch over 204 images brings half of it back (0.50 after two)."""
    normalise(PACKAGE / "profiles" / "zoo" / "bccd-yolo-n.onnx", tmp_path / "model.onnx", {}, NullReporter())
    smaller, out = tmp_path / "smaller.onnx", tmp_path / "out.onnx"
    prune(PruneChannels(repair=False, statistics=False), tmp_path / "model.onnx", smaller, None, NullReporter())
    learnt, unseen = (bccd(shared, tmp_path, smaller, part) for part in ("calibration", "evaluation"))
    finetune(TrainFinetune(epochs=1, learning_rate=3e-3, batch=8), smaller, out, learnt, NullReporter())
    assert map50(smaller, unseen) < 0.05
    assert map50(out, unseen) > 0.25


@pytest.mark.long
def test_quantized_weights_of_a_detector_learn_from_boxes(detector, squares, tmp_path):
    from edgetui.engine.compress.weight_only import weights
    from edgetui.engine.schema.steps import QuantizeWeights

    weights(QuantizeWeights(bits=4), detector, tmp_path / "four.onnx", NullReporter())
    told = NullReporter()
    step = TrainQat(epochs=2, batch=8, held_out=0.25, keep_zeros=False, learning_rate=3e-3)
    text = qat(step, tmp_path / "four.onnx", tmp_path / "out.onnx", opened(detector, squares), told)
    assert "on 20 held out loss " in text
    assert not any("no gain" in warning for warning in told.warnings)
