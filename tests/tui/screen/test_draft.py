"""Editing a recipe without a screen: what may be, what is refused, what undo brings back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config
from edgetui.engine.errors import RecipeRefused, UsageError
from edgetui.engine.schema.field_docs import docs_of
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.steps import (
    STEPS,
    PrecisionFp16,
    PruneChannels,
    PruneMagnitude,
    QuantizeInt8,
    QuantizeWeights,
    Recipe,
)
from edgetui.engine.schema.workloads import WORKLOADS, FlatOut, Paced, offered
from edgetui.tui.draft import Draft, RunFields, RunSetup, active_fields, backend_fields, backend_table
from edgetui.tui.fields import Field, fields_of, nudged, parse, shown
from edgetui.tui.link import Link
from edgetui.tui.panes.run_setting_rows import next_workload
from edgetui.tui.panes.setting_row import Around, SettingRow
from edgetui.tui.panes.settings_rows import settings_rows
from hypothesis import given
from hypothesis import strategies as st

PRUNED = Recipe(name="pruned", step=(PruneMagnitude(amount=0.3),))
QUANTIZED = Recipe(name="quantized", step=(QuantizeInt8(calibrator="mse"),))


@pytest.fixture
def draft() -> Draft:
    return Draft(RunSetup(recipe=PRUNED), (PRUNED, QUANTIZED))


def field(kind: type, name: str) -> Field:
    return next(f for f in fields_of(kind) if f.name == name)


@pytest.mark.parametrize("kind", list(STEPS.values()))
def test_every_field_of_every_step_can_be_edited_and_has_a_sentence(kind: type):
    named = {f.name for f in fields_of(kind)}
    assert named == {f.encode_name for f in msgspec.structs.fields(kind)}
    docs = docs_of(kind)
    assert docs[""]
    assert all(docs.get(name) for name in named), [name for name in named if not docs.get(name)]


def test_kinds_follow_from_types():
    assert field(PruneMagnitude, "scope") == Field("scope", "choice", False, ("layer", "global"), usual="layer")
    assert field(PruneMagnitude, "amount") == Field("amount", "share", True, low=0, high=1)
    assert field(PruneMagnitude, "threshold").kind == "number"
    assert field(QuantizeInt8, "per_channel").kind == "switch"
    assert field(QuantizeInt8, "exclude").kind == "words"
    assert field(QuantizeWeights, "bits").choices == (8, 4)


@pytest.mark.parametrize(
    ("kind", "name", "text", "value"),
    [
        (PruneMagnitude, "amount", "30%", 0.3),
        (PruneMagnitude, "amount", "–", None),
        (PruneMagnitude, "threshold", "1e-3", 0.001),
        (QuantizeInt8, "exclude", "Softmax, /head/*", ("Softmax", "/head/*")),
        (QuantizeInt8, "exclude", "", ()),
        (QuantizeInt8, "per_channel", "no", False),
        (QuantizeWeights, "bits", "4", 4),
        (PruneChannels, "amounts", "conv1=0.5, /head/*=25%", {"conv1": 0.5, "/head/*": 0.25}),
        (PruneChannels, "amounts", "–", {}),
    ],
)
def test_what_is_typed(kind: type, name: str, text: str, value: object):
    assert parse(field(kind, name), text) == value


@pytest.mark.parametrize(
    ("kind", "name", "text", "says"),
    [
        (PruneMagnitude, "amount", "much", "a number from 0 to 1"),
        (QuantizeInt8, "samples", "12.5", "a whole number of at least 1"),
        (QuantizeInt8, "samples", "", "needs a value"),
        (PruneChannels, "amounts", "conv1", "conv1=0.5"),
        (PruneChannels, "amounts", "0.5", "conv1=0.5"),
        (PruneChannels, "amounts", "conv1=half", "conv1=0.5"),
        (QuantizeInt8, "calibrator", "best", "minmax, entropy, percentile, mse"),
    ],
)
def test_what_cannot_be_typed_says_what_can(kind: type, name: str, text: str, says: str):
    with pytest.raises(RecipeRefused, match=says.replace("(", r"\(")) as refused:
        parse(field(kind, name), text)
    assert refused.value.fix


@pytest.mark.parametrize("kind", STEPS.values())
def test_what_is_shown_can_be_typed_again(kind: type):
    step = kind(**dict(kind.one_of[:1]))
    for chosen in fields_of(kind):
        value = getattr(step, chosen.name)
        assert parse(chosen, shown(value)) == value


@given(st.floats(0, 1), st.lists(st.sampled_from((-1, 1)), max_size=30))
def test_nudging_a_share_stays_within_its_bounds(start: float, steps: list[int]):
    value: object = start
    for by in steps:
        value = nudged(field(PruneMagnitude, "amount"), value, by)
        assert isinstance(value, float)
        assert 0 <= value <= 1


def test_nudging_goes_round_the_choices_and_back():
    chosen = field(QuantizeInt8, "calibrator")
    assert nudged(chosen, nudged(chosen, "mse", 1), -1) == "mse"
    assert nudged(field(QuantizeInt8, "samples"), 1, -1) == 1


def test_a_refused_value_changes_nothing(draft: Draft):
    with pytest.raises(RecipeRefused, match=r"amount cannot be 1\.5"):
        draft.put(0, "amount", 1.5)
    assert draft.recipe == PRUNED
    assert not draft.undo()


def test_one_of_two_gives_way_and_undo_brings_it_back(draft: Draft):
    draft.put(0, "threshold", 1e-3)
    assert draft.recipe.step == (PruneMagnitude(threshold=1e-3),)
    assert "amount was cleared" in draft.note
    assert draft.undo()
    assert draft.recipe == PRUNED


def test_edited_means_differing_from_the_file(draft: Draft):
    assert not draft.edited
    draft.toggle(0)
    assert draft.edited
    draft.toggle(0)
    assert not draft.edited


def test_a_step_is_added_as_a_recipe_sets_it_or_with_something_that_can_be(draft: Draft):
    draft.add("quantize.int8")
    assert draft.recipe.step[1] == QuantizeInt8(calibrator="mse")
    draft.add("precision.fp16")
    assert draft.recipe.step[2] == PrecisionFp16()
    assert Draft(RunSetup()).add("prune.magnitude") is None


def test_steps_move_within_the_list_only(draft: Draft):
    draft.add("quantize.int8")
    draft.move(1, 1)
    assert [step.method for step in draft.recipe.step] == ["prune.magnitude", "quantize.int8"]
    draft.move(1, -1)
    assert [step.method for step in draft.recipe.step] == ["quantize.int8", "prune.magnitude"]


def test_fields_that_say_nothing_now_are_not_offered():
    assert "percentile" not in [f.name for f in active_fields(QuantizeInt8(calibrator="mse"))]
    assert "percentile" in [f.name for f in active_fields(QuantizeInt8())]
    assert "block" not in [f.name for f in active_fields(QuantizeWeights())]


def test_shapes_are_given_and_taken_back(draft: Draft):
    draft.set_shape("m", "image", "1x3x8x8")
    assert draft.setup.shapes == {"m": {"image": (1, 3, 8, 8)}}
    assert draft.shape_text("m", "image") == "1x3x8x8"
    draft.set_shape("m", "image", "")
    assert draft.setup.shapes == {"m": {}}
    for wrong in ("a", "1x0", "3x"):
        with pytest.raises(RecipeRefused, match="not a valid shape"):
            draft.set_shape("m", "image", wrong)


def test_workloads_and_backend_settings(draft: Draft):
    draft.set_workload("paced 15")
    assert draft.setup.workload == Paced(rate_hz=15)
    draft.set_workload("flat-out")
    assert draft.setup.workload == FlatOut()
    with pytest.raises(UsageError, match="write flat-out, paced:HZ"):
        draft.set_workload("slow")
    draft.set_backend("threads", 3)
    with pytest.raises(RecipeRefused, match="threads cannot be -1"):
        draft.set_backend("threads", -1)
    assert draft.setup.backend.threads == 3


def test_a_backends_settings_are_its_own_table_or_those_outside_of_any(draft: Draft):
    fields = backend_fields(draft.setup.backend)
    assert {"threads", "graph"} <= set(fields)
    assert all("." not in name for name in fields)
    for name in fields_of(BackendSettings)[0].choices:
        draft.set_backend("name", name)
        for key in backend_fields(draft.setup.backend):
            table, inner = backend_table(draft.setup.backend, key)
            assert hasattr(table, inner)
            draft.set_backend(key, getattr(table, inner))
    assert draft.setup.backend.name == name


def test_the_runs_own_settings_have_a_sentence_each():
    docs = docs_of(RunFields)
    assert all(docs.get(f.name) for f in fields_of(RunFields))


def test_arrows_go_through_the_workloads_and_back():
    there = [FlatOut()]
    for _ in offered():
        there.append(next_workload(there[-1], 1))
    assert tuple(there) == (*offered(), FlatOut())
    assert {workload.kind for workload in there} == set(WORKLOADS)
    assert [workload.text for workload in there[:5]] == ["flat-out", *(f"paced {hz} Hz" for hz in (10, 15, 30, 60))]
    assert next_workload(FlatOut(), -1) == offered()[-1]
    assert next_workload(Paced(rate_hz=7), 1) == offered()[1]  # one that was typed


@pytest.mark.parametrize("workload", offered(), ids=lambda workload: workload.typed)
def test_a_workload_is_typed_as_it_is_shown_and_as_the_command_line_has_it(workload, draft: Draft):
    for text in (workload.text, workload.typed):
        draft.set_workload(text)
        assert draft.setup.workload == workload


@pytest.mark.parametrize(("backend", "name"), [("onnxruntime", "threads"), ("torch", "torch.threads")])
def test_no_number_of_threads_is_said_in_words(backend: str, name: str):
    threads = backend_fields(BackendSettings(name=backend))[name]
    assert (threads.told(0), threads.told(2)) == ("one a core", "2")


def test_every_row_takes_back_what_it_shows_as_typed_and_explains_itself(draft: Draft):
    draft.add("quantize.int8")
    draft.change(dataset="faces", workload=Paced(rate_hz=12))
    rows = [row for row in settings_rows(draft, Around()) if row.key]
    assert len({row.key for row in rows}) == len(rows)
    for row in rows:
        assert row.help(), row.key
        before = draft.setup
        if row.typed and row.text():
            row.put(row.text())
            assert draft.setup == before, row.key
    assert {row.step for row in rows} == {None, 0, 1}


def test_samples_timed_one_by_one_are_typed_or_chosen(draft: Draft):
    draft.set_per_input("7")
    assert draft.setup.per_input == 7
    for wrong in ("-1", "257", "many", ""):
        with pytest.raises(RecipeRefused, match="give a number from 0 to 256"):
            draft.set_per_input(wrong)
    assert draft.setup.per_input == 7


def test_int8_has_a_row_for_its_guard_which_goes_into_the_run_and_comes_back(draft: Draft, own_state: Path):
    """`--no-guard` had no place on the screen, and a run without one that was opened there had one again."""
    link = Link(Config(), Engine(Config(), own_state))

    def guard() -> SettingRow | None:
        return next((row for row in settings_rows(draft, Around()) if row.key == "run:guard"), None)

    assert guard() is None
    draft.add("quantize.int8")
    row = guard()
    assert row is not None
    assert (row.value(), link.spec(draft.setup, "m.onnx").guard) == ("FP16", True)
    row.nudge(1)
    spec = link.spec(draft.setup, "m.onnx")
    assert (row.value(), spec.guard, link.setup_of(spec)["guard"]) == ("none", False, False)
    with pytest.raises(RecipeRefused, match="FP16, none"):
        row.put("maybe")
    row.put("FP16")
    assert draft.setup.guard
