"""A search whose time is over, and candidates that cannot be built: from what is kept, no run is begun."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from edgetui.engine.advice.goals import parse_goal
from edgetui.engine.config import PACKAGE
from edgetui.engine.runs.carrying import Carrier
from edgetui.engine.runs.folder import create
from edgetui.engine.runs.search_folder import SearchDir, create_search, keeps_goal
from edgetui.engine.schema.figures import Ratio
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.search import (
    CandidateChecked,
    CandidateMeasured,
    CostsFound,
    SearchChoice,
    SearchLine,
    SearchRequest,
    UnitInfo,
)
from edgetui.engine.schema.sensitivity import Sensitivity, SensitivityRow
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import QuantizeInt8, Recipe
from edgetui.engine.search.asked import CannotBeBuilt
from edgetui.engine.work.run_answers import checked_figures, cost_figures
from edgetui.engine.work.search_driver import Search
from edgetui.engine.work.setting_answers import FoundSettings

INT8 = Recipe(name="int8", step=(QuantizeInt8(),))
MIX = ("int8", "int8")


def ratio(value: float) -> Ratio:
    return Ratio(value=value, low=value - 0.001, high=value + 0.001)


def folder_of(home: Path, run: str = "20261201-1200-digits-int8") -> SearchDir:
    """All units in INT8 are measured, and half A has been asked."""
    spec = RunSpec(model=str(PACKAGE / "profiles" / "demo" / "digits.onnx"), recipe=INT8)
    asked = RunRequest(run=run, ticket=1, wall="", edgetui="0", python="python", model_sha256="a" * 64, spec=spec)
    create(home, asked)
    folder = create_search(home, SearchRequest(goal="fastest drop<=0.01", spec=spec, builds=8, seconds=0.0))
    units = tuple(
        UnitInfo(
            unit=name, exclude=(name,), costs={"fp32": {"latency_ms": 2.0}, "int8": {"latency_ms": 1.0}}, effects={"int8": 0.1}
        )
        for name in ("one", "two")
    )
    rows = tuple(SensitivityRow(unit=name, place=n, exclude=(name,), kl=0.1) for n, name in enumerate(("one", "two")))
    told = Sensitivity(model="m.onnx", step="quantize.int8", ranked_by="kl", rows=rows)
    measured = CandidateMeasured(of=MIX, ratios={"latency_ms": ratio(0.6)}, figures={"size_mb": 0.1}, run=run)
    for line in (SearchLine(sensitivity=told), SearchLine(measured=measured), SearchLine(costs=CostsFound(units=units))):
        folder.add(line)
    return folder


def test_a_search_whose_time_is_over_gives_the_best_that_it_has(tmp_path: Path):
    folder = folder_of(tmp_path)
    folder.add(SearchLine(checked=CandidateChecked(of=MIX, half="A", difference=ratio(-0.005))))
    Search(folder, Carrier(folder)).drive()
    found = folder.document()
    assert found.state == "done"
    assert found.choice is not None
    assert found.choice.run == "20261201-1200-digits-int8"
    assert "the time is over: half B was not asked" in found.why
    assert [point.formats for point in found.built] == [{"int8": 2}]


@pytest.mark.parametrize("difference", [-0.05, None])
def test_it_gives_nothing_that_half_a_does_not_bear_out(tmp_path: Path, difference: float | None):
    folder = folder_of(tmp_path)
    if difference is not None:
        folder.add(SearchLine(checked=CandidateChecked(of=MIX, half="A", difference=ratio(difference))))
    Search(folder, Carrier(folder)).drive()
    found = folder.document()
    assert found.choice is None
    assert "nothing is shown to serve" in found.why


def test_what_was_known_against_it_stands_in_its_document_and_makes_no_other_question(tmp_path: Path):
    asked = folder_of(tmp_path).asked()
    warned = msgspec.structs.replace(asked, warnings=("too few samples",))
    assert asked.same_as(warned)
    assert create_search(tmp_path, warned).document().warnings == ("too few samples",)


def test_another_budget_is_another_question(tmp_path: Path):
    asked = folder_of(tmp_path).asked()
    assert asked.same_as(msgspec.structs.replace(asked, id="another", wall="later"))
    assert not asked.same_as(msgspec.structs.replace(asked, seconds=7200.0))


@pytest.mark.parametrize(
    ("goal", "kept"),
    [
        ("fastest drop<=0.01", True),
        ("fastest drop<=0.001", False),
        ("fastest top1>=0.8", True),
        ("fastest top1>=0.9", False),
        ("fastest size_mb<=0.2", True),
        ("fastest size_mb<=0.05", False),
        ("fastest power_w<=5", False),
    ],
)
def test_a_goal_is_kept_by_the_worse_end_and_by_what_is_known(goal: str, kept: bool):
    checked = CandidateChecked(of=MIX, half="A", difference=ratio(-0.005), qualities={"top1": ratio(0.85)})
    assert keeps_goal(parse_goal(goal), checked, {"size_mb": 0.1}) == kept


def test_what_differs_in_threads_alone_has_the_check_of_its_twin(tmp_path: Path):
    """The best of it says what to run it with."""
    folder = folder_of(tmp_path)
    spec = folder.asked().spec
    own = msgspec.structs.replace(spec, candidate=BackendSettings(threads=1))
    run = "20261201-1201-digits-one"
    create(tmp_path, RunRequest(run=run, ticket=2, wall="", edgetui="0", python="python", model_sha256="a" * 64, spec=own))
    both, twin = ("format=int8", "threads=1"), ("format=int8",)
    folder.add(SearchLine(checked=CandidateChecked(of=twin, half="A", difference=ratio(-0.004))))
    measured = CandidateMeasured(of=both, same_outputs=twin, ratios={"latency_ms": ratio(0.3)}, run=run)
    folder.add(SearchLine(measured=measured))
    found = folder.document()
    assert found.choice is not None
    assert (found.choice.run, found.choice.settings) == (run, {"threads": "1"})
    (point,) = [point for point in found.built if point.settings]
    assert point.difference.value == -0.004


def test_a_candidate_that_fails_while_it_is_measured_is_kept_as_such():
    with pytest.raises(CannotBeBuilt, match="out of memory"):
        cost_figures(CandidateMeasured(of=("format=int8",), ratios={}, failed="out of memory"))


def test_what_cannot_be_built_has_no_figures():
    with pytest.raises(CannotBeBuilt, match="nothing to remove"):
        checked_figures(CandidateChecked(of=("channels=0.5",), half="A", failed="nothing to remove"))


def test_settings_become_steps_in_the_order_that_keeps_their_work(tmp_path: Path):
    spec = RunSpec(model=str(PACKAGE / "profiles" / "demo" / "digits.onnx"), recipe=INT8)
    folder = create_search(tmp_path, SearchRequest(goal="smallest gzip_mb<=0.1", over="settings", spec=spec, builds=9))
    answers = FoundSettings(folder, folder.asked(), Carrier(folder), ModelFacts(name="digits"), None)
    settings = {**answers.offered.plain, "format": "int8", "zeros": 0.5, "channels": 0.25, "factors": 0.75}
    steps = answers.recipe(settings, 3).step
    assert [step.method for step in steps] == ["prune.channels", "lowrank.svd", "prune.magnitude", "quantize.int8"]
    assert steps[2].amount == 0.5
    assert answers.recipe(answers.offered.plain, 0).step == ()
    assert answers.foretold(answers.offered.plain) == "it is FP32 as it came"
    assert "zeros=0.5" in answers.offered.words(settings)


def test_on_a_board_with_power_modes_the_answer_has_the_sweep_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spec = RunSpec(model="/m.onnx", recipe=INT8)
    asked = SearchRequest(goal="least-energy fps>=30 drop<=0.01 size_mb<=5", over="settings", spec=spec, builds=9)
    folder = create_search(tmp_path, asked)
    answers = FoundSettings(folder, asked, Carrier(folder), ModelFacts(name="m"), None)
    choice = SearchChoice(recipe="x", run="r1")
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path / "board"))
    assert answers.sweep_of(choice) == ""
    conf = tmp_path / "board" / "etc" / "nvpmodel.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=1 NAME=7W >\nCPU_ONLINE CORE_0 1\n")
    assert answers.sweep_of(choice) == 'edgetui sweep r1 --modes all --want "fps>=30"'
    assert answers.sweep_of(None) == answers.sweep_of(SearchChoice(recipe="", run=None)) == ""


def test_a_goal_that_another_version_took_spoils_no_list(tmp_path: Path):
    spec = RunSpec(model="m.onnx", recipe=Recipe(name="int8", step=(QuantizeInt8(),)))
    folder = create_search(tmp_path, SearchRequest(goal="fastest latency_ms<=0", spec=spec, builds=8))
    found = folder.document()
    assert (found.state, found.goal) == ("failed", "")
    assert "latency_ms<=0" in found.why
