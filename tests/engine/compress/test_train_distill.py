"""Distillation: a student comes near its teacher, with labels and without, whatever the outputs are, or is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.compress.train.answers import NearOutputs, SoftClasses, variances
from edgetui.engine.compress.train.attention import WithFeatures, attention
from edgetui.engine.compress.train.distill import distill
from edgetui.engine.compress.train.loop import train
from edgetui.engine.compress.train.prepared import Prepared, begin_torch, prepared
from edgetui.engine.compress.train.student import draw_weights, student_of
from edgetui.engine.config import PACKAGE
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.errors import DataRefused, ModelRefused, RecipeRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.schema.steps import TrainDistill
from edgetui.engine.system.reporter import NullReporter

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is loaded: its threads wait for each other on a busy machine
torch = pytest.importorskip("torch", reason="needs torch")

DEMO = PACKAGE / "profiles" / "demo"
HALF = TrainDistill(width=0.5, epochs=4)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    normalise(DEMO / "digits.onnx", folder / "model.onnx", {}, NullReporter())
    return folder / "model.onnx"


def digits(model: Path, part: str = "evaluation", *, labels: bool = True) -> Samples:
    facts = inspect(model, {})
    data = Dataset(kind="npz", path=str(DEMO / "digits.npz"), task="classification" if labels else "none")
    return open_samples(data, facts.inputs, facts.shapes, part, 0, NullReporter())  # type: ignore[arg-type]


def classes(bench, path: Path, samples: Samples) -> np.ndarray:
    return np.array([bench.run(path, batch.feeds)[0].argmax() for batch in samples.batches(1)])


def numbers(path: Path) -> int:
    return sum(weight.size for weight in weights(onnx.load(path)))


@pytest.mark.parametrize("labels", [pytest.param(True, marks=pytest.mark.long), False])
def test_a_student_of_half_the_width_comes_near_its_teacher(bench, tmp_path, teacher, labels):
    unseen = digits(teacher, "calibration")
    told, out = NullReporter(), tmp_path / "out.onnx"
    step = msgspec.structs.replace(HALF, start="drawn", learning_rate=3e-3)
    text = distill(step, teacher, out, digits(teacher, labels=labels).take(400), told)
    assert text.startswith("a student of 0.5 of its width, ")
    assert "; 4 epochs over 360 samples, loss " in text
    assert f"on 40 held out {'accuracy' if labels else 'loss'} " in text
    assert numbers(out) < 0.6 * numbers(teacher)
    asked, said = classes(bench, teacher, unseen), classes(bench, out, unseen)
    before = tmp_path / "before.onnx"
    onnx.save(student_of(step, teacher, tmp_path, digits(teacher), NullReporter())[0], before)
    assert (said == asked).mean() > (classes(bench, before, unseen) == asked).mean() + 0.2
    assert not any("no gain" in text for text in told.warnings)


def test_a_student_begins_with_what_is_left_of_its_teacher(bench, tmp_path, teacher):
    unseen = digits(teacher, "calibration")
    model, what = student_of(HALF, teacher, tmp_path, digits(teacher).take(64), NullReporter())
    assert "of 0.5 of its width" in what
    said = classes(bench, bench.save(model, "kept.onnx"), unseen)
    assert (said == classes(bench, teacher, unseen)).mean() > 0.8


def parts(step: TrainDistill, path: Path, folder: Path, samples: Samples) -> tuple[Prepared, Prepared]:
    begin_torch(0)
    model, _ = student_of(step, path, folder, samples, NullReporter())
    return prepared(model, step, samples, NullReporter()), prepared(load(path), step, samples, NullReporter())


@pytest.mark.long
def test_a_teacher_whose_answers_are_shuffled_teaches_nothing_and_it_is_said(tmp_path, teacher):
    """The negative control: the same answers, each for another sample than it was given of."""
    step, samples = msgspec.structs.replace(HALF, start="drawn", alpha=0.0), digits(teacher).take(400)
    student, master = parts(step, teacher, tmp_path, samples)
    read = SoftClasses(master, master, master.module.program.outputs[0], 1.0, 0.0)._teach
    draw = torch.Generator().manual_seed(5)

    def shuffled(feeds):
        (answers,) = read(feeds)
        return [answers[torch.randperm(len(answers), generator=draw)]]

    told = NullReporter()
    mark = SoftClasses(student, master, master.module.program.outputs[0], step.temperature, 0.0, teach=shuffled)
    learnt = train(step, student.learner(mark), samples, told)
    assert learnt.gain is not None
    assert not learnt.gain.shown
    assert any("no gain" in text for text in told.warnings)
    again, _ = parts(step, teacher, tmp_path, samples)
    mark = SoftClasses(again, master, master.module.program.outputs[0], step.temperature, 0.0)
    assert train(step, again.learner(mark), samples, NullReporter()).gain.shown


def test_the_divergence_is_hintons(tmp_path, teacher):
    """T^2 times the divergence at temperature T, alpha of the labels' cross-entropy: computed by hand of the raw scores."""
    step, samples = msgspec.structs.replace(HALF, temperature=3.0, alpha=0.25), digits(teacher).take(40)
    student, master = parts(step, teacher, tmp_path, samples)
    name = master.module.program.outputs[0]
    batch = next(samples.batches(16))

    def shares(ready: Prepared, temperature: float) -> np.ndarray:
        with torch.no_grad():
            given = ready.run(batch.feeds)[name].numpy().astype(np.float64).reshape(batch.n, -1)
        scores = np.log(given) if (np.abs(given.sum(axis=1) - 1) < 1e-4).all() and (given >= 0).all() else given
        powers = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
        return powers / powers.sum(axis=1, keepdims=True)

    p, q, plain = shares(master, 3.0), shares(student, 3.0), shares(student, 1.0)
    soft = 9 * (p * (np.log(p) - np.log(q))).sum(axis=1)
    hard = -np.log(plain[np.arange(batch.n), batch.labels])
    found = SoftClasses(student, master, name, 3.0, 0.25)(batch)
    np.testing.assert_allclose(found.losses.detach().numpy(), 0.25 * hard + 0.75 * soft, rtol=2e-3, atol=1e-4)
    assert (found.right.numpy() == (plain.argmax(axis=1) == batch.labels)).all()


def test_a_separable_student(bench, net, tmp_path):
    it = net()
    x = it.node("Relu", it.conv(it.input("image", 1, 1, 8, 8), 1, 8))
    y = it.node("Relu", it.conv(x, 8, 12))
    flat = it.node("Flatten", it.node("GlobalAveragePool", y))
    path = bench.save(it.model(it.node("Softmax", it.node("Gemm", flat, it.weight(12, 4, scale=2.0), it.weight(4)), axis=1)))
    arrays = np.random.default_rng(1).random((200, 1, 8, 8), np.float32)
    np.savez(tmp_path / "own.npz", image=arrays)
    text = distill(
        TrainDistill(student="separable", epochs=3),
        path,
        tmp_path / "out.onnx",
        opened(path, tmp_path / "own.npz"),
        NullReporter(),
    )
    assert text.startswith("a student with 1 convolutions made depthwise separable, ")
    after = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(after)
    assert [node.op_type for node in after.graph.node].count("Conv") == 3
    assert numbers(tmp_path / "out.onnx") < numbers(path)


def opened(model: Path, file: Path) -> Samples:
    facts = inspect(model, {})
    return open_samples(Dataset(kind="npz", path=str(file)), facts.inputs, facts.shapes, "all", 0, NullReporter())


def shapes_of_boxes(net, bench, width: int, name: str) -> Path:
    """A model with two outputs that are no classes, one far larger than the other."""
    it = net()
    x = it.node("Relu", it.conv(it.input("image", 1, 1, 8, 8), 1, width))
    y = it.node("Relu", it.conv(x, width, width))
    boxes = it.node("Mul", it.conv(y, width, 4, 1), it.constant(np.float32(300)))
    scores = it.node("Sigmoid", it.conv(y, width, 3, 1))
    model = it.model(boxes, scores)
    for value, fresh in zip(model.graph.output, ("boxes", "scores"), strict=True):
        for node in model.graph.node:
            node.output[:] = [fresh if one == value.name else one for one in node.output]
        value.name = fresh
    return bench.save(model, name)


@pytest.mark.long
def test_outputs_that_are_no_classes_are_learnt_as_they_are_by_a_student_of_a_file(bench, net, tmp_path):
    teacher, student = (shapes_of_boxes(net, bench, width, f"{width}.onnx") for width in (12, 6))
    np.savez(tmp_path / "own.npz", image=np.random.default_rng(1).random((300, 1, 8, 8), np.float32))
    told, out = NullReporter(), tmp_path / "out.onnx"
    samples = opened(teacher, tmp_path / "own.npz")
    text = distill(TrainDistill(student=str(student), epochs=6, learning_rate=0.01), teacher, out, samples, told)
    assert text.startswith("a student from 6.onnx, ")
    assert any("learnt as they are" in note for note in told.notes)
    assert not any("no gain" in warning for warning in told.warnings)
    feed = {"image": np.random.default_rng(2).random((1, 1, 8, 8), np.float32)}
    for wanted, before, after in zip(*(bench.run(path, feed) for path in (teacher, student, out)), strict=True):
        assert np.square(after - wanted).mean() < 0.5 * np.square(before - wanted).mean()


def test_scores_are_not_drowned_by_the_boxes_beside_them():
    draw = np.random.default_rng(0)
    beside = np.concatenate([draw.normal(300, 100, (8, 4, 50)), draw.random((8, 3, 50))], axis=1).astype(np.float32)
    found = variances(beside)
    assert found.shape == (1, 7, 1)
    np.testing.assert_allclose(found[0, :, 0], beside.astype(np.float64).var(axis=(0, 2)), rtol=1e-5)
    assert variances(np.zeros((4, 3, 9), np.float32)).min() > 0
    assert variances(draw.random((9, 5)).astype(np.float32)).shape == (1, 1)


def test_outputs_that_cannot_be_learnt_are_refused(net, bench, tmp_path):
    it = net()
    values = it.node("Flatten", it.conv(it.input("image", 1, 1, 8, 8), 1, 2))
    chosen = it.node("Cast", it.node("ArgMax", values, axis=1), to=1)
    path = bench.save(it.model(it.node("Mul", chosen, it.constant(np.float32(2)))))
    np.savez(tmp_path / "own.npz", image=np.random.default_rng(1).random((40, 1, 8, 8), np.float32))
    samples = opened(path, tmp_path / "own.npz")
    step = TrainDistill(student=str(path))
    model, _ = student_of(step, path, tmp_path, samples, NullReporter())
    student = prepared(model, step, samples, NullReporter())
    with pytest.raises(ModelRefused, match="no output of the model is a quantity"):
        NearOutputs(student, student, {"t3": np.ones((4, 1), np.float32)})


def test_a_student_that_is_not_there_or_another_is_refused(net, bench, tmp_path, teacher):
    samples, out = digits(teacher).take(64), tmp_path / "out.onnx"
    with pytest.raises(RecipeRefused, match="there is no student"):
        distill(TrainDistill(student=str(tmp_path / "none.onnx")), teacher, out, samples, NullReporter())
    it = net()
    other = bench.save(it.model(it.node("Flatten", it.conv(it.input("pixels", 1, 1, 8, 8), 1, 3))), "other.onnx")
    with pytest.raises(ModelRefused, match="has inputs pixels, its teacher "):
        distill(TrainDistill(student=str(other)), teacher, out, samples, NullReporter())
    wrong = onnx.load(teacher)
    wrong.graph.output[0].name = "else"
    wrong.graph.node[-1].output[0] = "else"
    with pytest.raises(ModelRefused, match="has none as output "):
        distill(TrainDistill(student=str(bench.save(wrong, "wrong.onnx"))), teacher, out, samples, NullReporter())
    it = net()
    plain = bench.save(it.model(it.node("Gemm", it.node("Flatten", it.input("image", 1, 1, 8, 8)), it.weight(64, 4))), "p.onnx")
    with pytest.raises(ModelRefused, match="depthwise separable"):
        distill(TrainDistill(student="separable"), plain, out, samples, NullReporter())
    assert not out.exists()


FACTORY = """
import torch

def small():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.Softmax(1))

def other():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 7))
"""


@pytest.mark.long
def test_a_student_may_be_what_a_function_makes_or_a_program_and_is_a_model_from_there_on(
    bench, tmp_path, teacher, monkeypatch
):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own.py").write_text(FACTORY)
    torch.manual_seed(3)
    begun = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.Softmax(1)).eval()
    torch.save(begun.state_dict(), tmp_path / "w.pt")
    torch.export.save(torch.export.export(begun, (torch.zeros(1, 1, 8, 8),)), tmp_path / "own.pt2")
    samples, unseen = digits(teacher).take(400), digits(teacher, "calibration")
    asked = classes(bench, teacher, unseen)
    with torch.no_grad():
        untaught = np.array([int(begun(torch.from_numpy(batch.feeds["image"])).argmax()) for batch in unseen.batches(1)])
    files = []
    for name, student, weights_file in (
        ("f", f"{tmp_path}/own.py:small", f"{tmp_path}/w.pt"),
        ("p", f"{tmp_path}/own.pt2", None),
    ):
        step, out = TrainDistill(student=student, weights=weights_file, epochs=3, learning_rate=0.01), tmp_path / f"{name}.onnx"
        told = NullReporter()
        text = distill(step, teacher, out, samples, told)
        assert text.startswith(f"a student from {Path(student).name}, ")
        assert not any("no gain" in warning for warning in told.warnings)
        assert [value.name for value in onnx.load(out).graph.output] == [
            value.name for value in onnx.load(teacher).graph.output
        ]
        assert (classes(bench, out, unseen) == asked).mean() > (untaught == asked).mean() + 0.3
        files.append(out)
    learnt = [[weight.array() for weight in weights(onnx.load(file))] for file in files]
    np.testing.assert_allclose(learnt[0][0], learnt[1][0], atol=1e-4)  # both began with the same weights


@pytest.mark.long
def test_a_students_function_with_other_outputs_is_refused(tmp_path, teacher, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own.py").write_text(FACTORY)
    step = TrainDistill(student=f"{tmp_path}/own.py:other")
    with pytest.raises(ModelRefused, match=r"has float \[1, 7\] as output .*, and its teacher float \[1, 10\]"):
        distill(step, teacher, tmp_path / "out.onnx", digits(teacher).take(64), NullReporter())


def test_files_of_a_function_are_those_that_the_step_reads(tmp_path):
    step = TrainDistill(student="own.py:small", weights="w.safetensors").located(tmp_path)
    assert (step.student, step.weights) == (f"{tmp_path}/own.py:small", f"{tmp_path}/w.safetensors")
    assert step.files == (f"{tmp_path}/own.py", f"{tmp_path}/w.safetensors")
    assert TrainDistill(student="separable").located(tmp_path).files == ()
    assert "weights" not in TrainDistill(student="separable").described()
    assert TrainDistill(student="no_such_package_here.net:make").files == ("no_such_package_here/net.py",)


def test_weights_without_a_function_are_refused(tmp_path, teacher):
    step = TrainDistill(student=str(teacher), weights=str(tmp_path / "w.pt"))
    with pytest.raises(RecipeRefused, match="`weights` are for a student that a function makes"):
        distill(step, teacher, tmp_path / "out.onnx", digits(teacher).take(64), NullReporter())


def test_labels_of_other_classes_are_refused(tmp_path, teacher):
    arrays = np.random.default_rng(1).random((60, 1, 8, 8), np.float32)
    np.savez(tmp_path / "own.npz", image=arrays, labels=np.arange(60) % 12)
    with pytest.raises(DataRefused, match="12 classes and the model has 10"):
        distill(HALF, teacher, tmp_path / "out.onnx", opened(teacher, tmp_path / "own.npz"), NullReporter())


def test_drawn_weights_are_as_spread_as_those_of_before_and_follow_the_seed(teacher):
    before, one, same, other = (load(teacher) for _ in range(4))
    for model, seed in ((one, 0), (same, 0), (other, 1)):
        draw_weights(model, seed)
    for old, a, b, c in zip(*(weights(model) for model in (before, one, same, other)), strict=True):
        assert (a.array() == b.array()).all()
        assert (a.array() != c.array()).any()
        assert (a.array() != old.array()).mean() > 0.99
        assert a.array().std() == pytest.approx(old.array().std(), rel=0.3)


def test_what_was_broken_off_ends_as_what_was_not(tmp_path, teacher):
    class Broken(NullReporter):
        def learning(self, told):
            super().learning(told)
            if told.ended and told.epoch == 2:
                raise KeyboardInterrupt

    step, samples = msgspec.structs.replace(HALF, epochs=3, start="drawn"), digits(teacher).take(80)
    distill(step, teacher, tmp_path / "whole.onnx", samples, NullReporter(), kept=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        distill(step, teacher, tmp_path / "broken.onnx", samples, Broken(), kept=tmp_path / "kept")
    assert not (tmp_path / "broken.onnx").exists()
    distill(step, teacher, tmp_path / "broken.onnx", samples, NullReporter(), kept=tmp_path / "kept")
    assert (tmp_path / "broken.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()


def test_attention_maps_are_of_unit_length_and_tell_places_alone():
    drawn = torch.rand(3, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    found = attention(drawn)
    assert found.shape == (3, 24)
    np.testing.assert_allclose(found.norm(dim=1), 1, rtol=1e-5)
    torch.testing.assert_close(attention(7 * drawn), found)
    torch.testing.assert_close(attention(drawn[:, [4, 2, 0, 1, 3]]), found)
    assert not torch.allclose(attention(drawn.flip(3)), found)


def test_features_are_compared_where_both_have_them(tmp_path, teacher):
    samples = digits(teacher).take(40)
    step = msgspec.structs.replace(HALF, start="drawn")
    student, master = parts(step, teacher, tmp_path, samples)
    plain = SoftClasses(student, master, master.module.program.outputs[0], 4.0, 0.1)
    both = WithFeatures(plain, student, master, 10.0)
    assert both.names
    batch = next(samples.batches(16))
    more = both(batch).losses - plain(batch).losses
    assert (more > 0).all()
    both(batch).losses.sum().backward()
    same, master = parts(step, teacher, tmp_path, samples)
    same = master
    none = WithFeatures(SoftClasses(same, master, master.module.program.outputs[0], 4.0, 0.0), same, master, 10.0)(batch)
    np.testing.assert_allclose(none.losses.detach(), 0, atol=1e-4)


def test_features_of_a_student_with_other_names_are_refused(bench, net, tmp_path):
    master, student = (shapes_of_boxes(net, bench, width, f"{width}.onnx") for width in (12, 6))
    renamed = onnx.load(student)
    inside = {name for node in renamed.graph.node for name in node.output} - {"boxes", "scores"}
    for node in renamed.graph.node:
        for names in (node.input, node.output):
            names[:] = [f"own_{name}" if name in inside else name for name in names]
    bench.save(renamed, "6.onnx")
    np.savez(tmp_path / "own.npz", image=np.random.default_rng(1).random((40, 1, 8, 8), np.float32))
    step = TrainDistill(student=str(student), features=1.0)
    samples = opened(master, tmp_path / "own.npz")
    one, other = parts(step, master, tmp_path, samples)
    with pytest.raises(RecipeRefused, match="`features` has nothing to compare"):
        WithFeatures(NearOutputs(one, other, {"scores": np.zeros((4, 3, 8, 8), np.float32)}), one, other, 1.0)
