"""What is said before a run: sizes by the recipe's bits, what is refused, and what cannot win."""

from __future__ import annotations

import importlib.util

import pytest
from edgetui.engine.advice.forecast import forecast, refuse_without_samples, size_after
from edgetui.engine.config import Config
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.recipes import find_recipe
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.settings import BackendSettings, TorchSettings
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeInt8, Recipe, TrainFinetune

FACTS = ModelFacts(name="m", size_bytes=4_100_000, parameters=1_000_000, prunable=900_000, refused={"onnxruntime": ()})
DATA = Dataset(kind="npz", path="/data/digits.npz", name="digits")


def spec(recipe: str, **more: object) -> RunSpec:
    return RunSpec(model="/m.onnx", recipe=find_recipe(recipe, Config()), **more)


@pytest.mark.parametrize(
    ("recipe", "after"),
    [
        ("int8", 4_100_000 - 900_000 * 3),
        ("fp16", 4_100_000 - 1_000_000 * 2),
        ("weights-8", 4_100_000 - 900_000 * 3),
        ("weights-4", 4_100_000 - 900_000 * (32 - 5) // 8),
        ("prune-30-global", 4_100_000),
        ("prune-30-int8", 4_100_000 - 900_000 * 3),
    ],
)
def test_size_follows_the_bits(recipe, after):
    assert size_after(find_recipe(recipe, Config()), FACTS) == after


def test_a_model_that_is_not_fp32_is_not_guessed_at():
    half = ModelFacts(name="m", size_bytes=2_000_000, parameters=1_000_000, prunable=900_000)
    assert size_after(find_recipe("int8", Config()), half) is None


def test_time_comes_from_history_or_is_not_known():
    assert forecast(spec("int8", dataset=DATA), FACTS, [], None).seconds is None
    found = forecast(spec("int8", dataset=DATA), FACTS, [30.0, 50.0, 40.0], None)
    assert (found.seconds, found.history) == (40.0, 3)


def test_int8_without_samples_is_refused_before_the_run():
    assert "needs samples" in forecast(spec("int8"), FACTS, [], None).errors[0]
    assert forecast(spec("int8", calibration=DATA), FACTS, [], None).errors == ()


def test_open_axes_and_refusals_say_what_to_do():
    facts = ModelFacts(
        name="m",
        size_bytes=10,
        open_axes=("image=1x3x?x?",),
        refused={"onnxruntime": ("node /x (Foo) is not known",), "other": ("no",)},
    )
    errors = forecast(spec("fp16"), facts, [], None).errors
    assert any("--shape image=1x3x?x?" in line for line in errors)
    assert any("/x (Foo)" in line for line in errors)
    assert not any("other" in line for line in errors)
    given = forecast(spec("fp16", shapes={"image": (1, 3, 8, 8)}), facts, [], None).errors
    assert not any("--shape" in line for line in given)


def test_a_quantized_model_is_not_quantized_again():
    facts = ModelFacts(name="m", size_bytes=10, quantized=True)
    assert any("quantized already" in line for line in forecast(spec("weights-8"), facts, [], None).errors)
    assert forecast(spec("prune-5"), facts, [], None).errors == ()


def test_floats_left_in_a_quantized_model_may_be_quantized_alone():
    facts = ModelFacts(name="m", size_bytes=10, quantized=True, prunable=5)
    assert forecast(spec("weights-8"), facts, [], None).errors == ()
    assert any("quantized already" in line for line in forecast(spec("int8"), facts, [], None).errors)


def test_harmless_remarks_stand_apart_and_last():
    late = Recipe(step=(QuantizeInt8(), PruneMagnitude(amount=0.3), PruneMagnitude(amount=0.5, scope="global")))
    found = forecast(RunSpec(model="/m.onnx", recipe=late, calibration=DATA), FACTS, [], 50.0)
    assert [text.split(" ")[0] for text in found.serious] == ["pruning", "no", "needs"]
    assert found.warnings == (*found.serious, *found.remarks)
    assert found.remarks == ("scattered zeros do not make a dense plan faster; the zeros change size only when compressed",)


def test_what_cannot_win_is_said():
    warnings = forecast(spec("prune-30-global", dataset=DATA), FACTS, [], None).warnings
    assert any("scattered zeros do not make a dense plan faster; 30 % zeros" in line for line in warnings)
    nothing = forecast(RunSpec(model="/m", recipe=Recipe(), dataset=DATA), FACTS, [], None).warnings
    assert any("no step that is on" in line for line in nothing)


def test_too_little_memory_is_said():
    found = forecast(spec("fp16", dataset=DATA), FACTS, [], 100.0)
    assert any("100 MB are free" in line for line in found.warnings)
    hardly = (found.memory_need_mb or 0.0) - 0.2
    told = forecast(spec("fp16", dataset=DATA), FACTS, [], hardly).warnings
    assert any(f"needs about {hardly + 0.2:.0f} MB of memory and {int(hardly)} MB are free" in line for line in told)
    assert not any("free" in line for line in forecast(spec("fp16", dataset=DATA), FACTS, [], 8000.0).warnings)


def test_data_in_one_line():
    calibration = Dataset(kind="npz", path="/data/train.npz", name="train")
    assert forecast(spec("int8", dataset=DATA), FACTS, [], None).data == "digits, up to 500 to calibrate"
    assert "500 of train to" in forecast(spec("int8", dataset=DATA, calibration=calibration), FACTS, [], None).data
    assert forecast(spec("fp16"), FACTS, [], None).data == "none"


def trained(**more: object) -> RunSpec:
    return spec("prune-50-finetune", **more)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "needs labelled samples"),
        ({"dataset": Dataset(kind="npz", path="/a.npz", task="none")}, 'says task = "none"'),
        ({"dataset": DATA, "calibration": Dataset(kind="npz", path="/data/digits.npz")}, "that the model is evaluated with"),
        ({"dataset": Dataset(kind="npz", path="/a.npz", calibration="/b/../a.npz")}, "that the model is evaluated with"),
    ],
)
def test_training_without_labels_or_on_what_is_evaluated_is_refused(more, said):
    assert any(said in line for line in forecast(trained(**more), FACTS, [], None).errors)
    with pytest.raises(DataRefused, match=said):
        refuse_without_samples(trained(**more))


@pytest.mark.parametrize(
    ("more", "data"),
    [
        ({"dataset": DATA}, "digits, all of a share of it to train"),
        ({"dataset": Dataset(kind="npz", path="/a.npz", calibration="/b.npz")}, "a.npz, all of b.npz to train"),
    ],
)
def test_training_samples_are_told_in_the_data_line(more, data):
    refuse_without_samples(trained(**more))
    assert forecast(trained(**more), FACTS, [], None).data == data


def test_training_is_said_to_take_long_and_to_want_pytorch():
    found = forecast(trained(dataset=DATA), FACTS, [], None)
    assert any("3 epochs, forward and back" in line for line in found.warnings)
    if importlib.util.find_spec("torch") is None:
        assert any("needs PyTorch" in line and "pip install 'edgetui[train]'" in line for line in found.errors)
    else:
        assert found.errors == ()


def test_what_training_undoes_is_said():
    late = Recipe(step=(PruneMagnitude(amount=0.5), QuantizeInt8(), TrainFinetune(keep_zeros=False)))
    said = forecast(RunSpec(model="/m.onnx", recipe=late, dataset=DATA), FACTS, [], None).warnings
    assert any("train first" in line for line in said)
    assert any("fills the zeros" in line for line in said)


def test_what_comes_after_training_is_not_undone_by_it():
    early = Recipe(step=(TrainFinetune(keep_zeros=False), PruneMagnitude(amount=0.5), QuantizeInt8()))
    assert not forecast(RunSpec(model="/m.onnx", recipe=early, dataset=DATA), FACTS, [], None).serious


def test_training_needs_room_for_pytorch():
    plain, more = (forecast(spec(name, dataset=DATA), FACTS, [], None) for name in ("prune-5", "prune-50-finetune"))
    assert more.memory_need_mb > plain.memory_need_mb + 300


def test_pytorch_is_not_said_to_make_int8_faster():
    eager = forecast(spec("int8", dataset=DATA, backend=BackendSettings(name="torch")), FACTS, [], None)
    assert any("INT8 as floating point with rounding" in line for line in eager.warnings)
    assert eager.backend == "torch eager, a GPU if there is one, a thread for each physical core"
    on_cpu = TorchSettings(mode="compiled", device="cpu", threads=2)
    compiled = forecast(spec("int8", dataset=DATA, backend=BackendSettings(name="torch", torch=on_cpu)), FACTS, [], None)
    assert compiled.backend == "torch compiled, CPU, 2 threads"
    assert compiled.memory_need_mb > eager.memory_need_mb
    there = importlib.util.find_spec("torch") is not None
    assert any("pip install 'edgetui[torch]'" in line for line in eager.errors) != there
    for_onnxruntime = forecast(spec("int8", dataset=DATA), FACTS, [], None)
    assert not any("INT8 as floating point" in line for line in for_onnxruntime.warnings)
