"""When FP16 is built beside INT8, and that it shares what an FP16 run leaves in the cache."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.backends.cards import CARDS
from edgetui.engine.runs.asking import guards
from edgetui.engine.runs.stages import guarding, plan_stages
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings, TorchSettings
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import PrecisionFp16, PruneMagnitude, QuantizeInt8, Recipe

INT8 = Recipe(name="int8", step=(PruneMagnitude(amount=0.1), QuantizeInt8()))
HALF = Recipe(name="fp16", step=(PrecisionFp16(),))
PRUNED_HALF = Recipe(name="prune-fp16", step=(PruneMagnitude(amount=0.1), PrecisionFp16()))
TENSORRT, CUDA = BackendSettings(name="tensorrt"), BackendSettings(name="torch", torch=TorchSettings(device="cuda"))


def spec(recipe: Recipe, backend: BackendSettings = TENSORRT, **more: object) -> RunSpec:
    return RunSpec(model="/m.onnx", recipe=recipe, backend=backend, **more)  # type: ignore[arg-type]


def asked(spec: RunSpec, guard: str = "") -> RunRequest:
    return RunRequest(run="a", ticket=1, guard=guard, wall="", edgetui="", python="", model_sha256="s", keys=2, spec=spec)


@pytest.mark.parametrize(
    ("specs", "wanted"),
    [
        ([spec(INT8)], ["a"]),
        ([spec(INT8, CUDA)], ["a"]),
        ([spec(INT8, BackendSettings())], [""]),
        ([spec(INT8, BackendSettings(name="torch", torch=TorchSettings(device="cpu")))], [""]),
        ([spec(INT8, guard=False)], [""]),
        ([spec(INT8, measure=False)], [""]),
        ([spec(HALF)], [""]),
        ([spec(INT8), spec(HALF)], ["b", ""]),
        ([spec(INT8), spec(PRUNED_HALF)], ["a", ""]),
        ([spec(INT8), spec(INT8)], ["a", "b"]),
    ],
)
def test_int8_is_guarded_where_the_hardware_has_fp16(specs: list[RunSpec], wanted: list[str]) -> None:
    assert guards(specs, ["a", "b"][: len(specs)]) == wanted


def test_a_plan_for_elsewhere_has_no_guard() -> None:
    assert not CARDS["tensorrt"].has_half(BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(target="sm_86")))


def test_its_stages_are_those_of_an_fp16_run_and_stand_before_what_is_measured() -> None:
    planned = plan_stages(asked(spec(INT8), "a"))
    names = [stage.name for stage in planned]
    made = [stage for stage in planned if stage.guard]
    assert [stage.name for stage in made] == ["guard: precision.fp16", "guard: lower", "guard: build", "guard: verify"]
    assert names.index("guard: verify") + 1 == names.index("measure")
    half = {stage.kind: stage.key for stage in plan_stages(asked(spec(HALF)))}
    assert [stage.key for stage in made] == [half[stage.kind] for stage in made]
    assert guarding(asked(spec(INT8), "a")).spec.recipe.step == HALF.step


def test_a_guard_changes_no_other_key_but_that_of_evaluating() -> None:
    plain = {stage.name: stage.key for stage in plan_stages(asked(spec(INT8)))}
    guarded = {stage.name: stage.key for stage in plan_stages(asked(spec(INT8), "a")) if not stage.guard}
    assert guarded == plain
    older = msgspec.structs.replace(asked(spec(INT8)), spec=spec(INT8, guard=False))
    assert {stage.name: stage.key for stage in plan_stages(older)} == plain
