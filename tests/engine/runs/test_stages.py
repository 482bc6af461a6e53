from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.runs.stages import baseline_key, plan_stages
from edgetui.engine.schema.settings import BackendSettings, TorchSettings
from edgetui.engine.schema.spec import Dataset, RunRequest, RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeInt8, Recipe

DATA = Dataset(kind="npz", path="/data/a.npz")
SPEC = RunSpec(model="/m.onnx", recipe=Recipe(name="r", step=(PruneMagnitude(amount=0.3), QuantizeInt8())), dataset=DATA)


def asked(spec: RunSpec, run: str = "one", sha: str = "aa", data: str = "d") -> RunRequest:
    return RunRequest(
        run=run,
        ticket=1,
        wall="",
        edgetui="",
        python="",
        versions={"numpy": "2"},
        model_sha256=sha,
        dataset_hash=data,
        spec=spec,
    )


def keys(spec: RunSpec, run: str = "one", sha: str = "aa", data: str = "d") -> dict[str, str]:
    return {stage.name: stage.key for stage in plan_stages(asked(spec, run, sha, data))}


def changed(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return [name for name in one if one[name] != other.get(name)]


LATE = ["lower", "build", "verify", "measure", "evaluate", "energy"]
STEPS = ["prune.magnitude", "quantize.int8"]


def test_the_order_of_stages() -> None:
    assert list(keys(SPEC)) == ["inspect", "normalise", *STEPS, *LATE]


def test_samples_that_are_timed_one_by_one_are_a_stage_that_no_other_depends_on() -> None:
    more = keys(msgspec.structs.replace(SPEC, per_input=5))
    assert changed(keys(SPEC), more) == []
    assert set(more) - set(keys(SPEC)) == {"inputs"}
    assert changed(more, keys(msgspec.structs.replace(SPEC, per_input=6))) == ["inputs"]


def test_a_method_that_occurs_twice_has_two_names() -> None:
    twice = Recipe(step=(PruneMagnitude(amount=0.3), PruneMagnitude(threshold=1e-3), PruneMagnitude(amount=0.1, on=False)))
    names = list(keys(msgspec.structs.replace(SPEC, recipe=twice)))
    assert [n for n in names if n.startswith("prune")] == ["prune.magnitude", "prune.magnitude#2"]


@pytest.mark.parametrize(
    ("change", "made_again"),
    [
        ({"preset": "quick"}, ["measure", "energy"]),
        ({"backend": BackendSettings(threads=1)}, ["build", "verify", "measure", "evaluate", "energy"]),
        ({"recipe": Recipe(name="r", step=(PruneMagnitude(amount=0.3), QuantizeInt8(calibrator="mse")))}, STEPS[1:] + LATE),
        ({"recipe": Recipe(name="other", step=SPEC.recipe.step)}, []),
        ({"shapes": {"image": (1, 3, 8, 8)}}, ["inspect", "normalise", *STEPS, *LATE]),
        ({"seed": 1}, ["quantize.int8", *LATE]),
    ],
)
def test_only_what_depends_on_a_change_is_made_again(change: dict[str, object], made_again: list[str]) -> None:
    assert changed(keys(SPEC), keys(msgspec.structs.replace(SPEC, **change))) == made_again


def test_how_a_plan_is_run_does_not_build_it_again() -> None:
    here = BackendSettings(name="tensorrt")
    for change, made_again in (({"cuda_graph": True, "trust": True}, []), ({"tf32": False}, LATE[1:])):
        tensorrt = msgspec.structs.replace(here.tensorrt, **change)
        other = msgspec.structs.replace(here, tensorrt=tensorrt)
        specs = (msgspec.structs.replace(SPEC, backend=backend) for backend in (here, other))
        assert changed(*map(keys, specs)) == made_again


def test_a_candidate_with_settings_of_its_own_is_built_anew_and_its_baseline_is_not() -> None:
    own = msgspec.structs.replace(SPEC, candidate=BackendSettings(threads=1))
    assert changed(keys(SPEC), keys(own)) == LATE[1:]
    assert baseline_key(asked(SPEC)) == baseline_key(asked(own))


def test_another_run_measures_again_and_takes_the_rest_from_the_cache() -> None:
    assert changed(keys(SPEC), keys(SPEC, run="two")) == ["measure", "energy"]


def test_other_data_are_calibrated_again_and_another_model_is_done_anew() -> None:
    assert changed(keys(SPEC), keys(SPEC, data="e")) == ["inspect", "quantize.int8", *LATE]
    assert changed(keys(SPEC), keys(SPEC, sha="bb")) == list(keys(SPEC))


def test_other_data_are_looked_at_and_nothing_else_is_made_again() -> None:
    """Inspecting refuses data that do not fit, and warns of them: what it found of others must not come from the cache."""
    only_pruned = msgspec.structs.replace(SPEC, recipe=Recipe(step=(PruneMagnitude(amount=0.3),)))
    assert changed(keys(only_pruned), keys(only_pruned, data="e")) == ["inspect", "verify", "measure", "evaluate", "energy"]


def test_another_step_is_looked_at() -> None:
    """Whether a model is quantized already matters to `quantize.int8` alone."""
    only_pruned = msgspec.structs.replace(SPEC, recipe=Recipe(step=(PruneMagnitude(amount=0.3),)))
    assert "inspect" in changed(keys(only_pruned), keys(SPEC))


def test_mode_and_device_of_pytorch_are_checked_and_built_anew() -> None:
    eager = msgspec.structs.replace(SPEC, backend=BackendSettings(name="torch"))
    compiled = msgspec.structs.replace(SPEC, backend=BackendSettings(name="torch", torch=TorchSettings(mode="compiled")))
    assert changed(keys(eager), keys(compiled)) == ["inspect", "build", "verify", "measure", "evaluate", "energy"]
    other = msgspec.structs.replace(SPEC, backend=BackendSettings(torch=TorchSettings(mode="compiled")))
    assert "inspect" not in changed(keys(SPEC), keys(other))
