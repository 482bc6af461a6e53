"""Editing a recipe without a screen: what may be, what is refused, what undo brings back."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.spec import (
    STEPS,
    BackendSettings,
    FlatOut,
    Paced,
    PrecisionFp16,
    PruneMagnitude,
    QuantizeInt8,
    QuantizeWeights,
    Recipe,
)
from edgetui.tui.draft import Asked, Draft, RunFields, active_fields, backend_fields, backend_table
from edgetui.tui.fields import Field, docs_of, fields_of, nudged, parse, shown
from hypothesis import given
from hypothesis import strategies as st

PRUNED = Recipe(name="pruned", step=(PruneMagnitude(amount=0.3),))
QUANTIZED = Recipe(name="quantized", step=(QuantizeInt8(calibrator="mse"),))


@pytest.fixture
def draft() -> Draft:
    return Draft(Asked(recipe=PRUNED), (PRUNED, QUANTIZED))


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
    assert field(PruneMagnitude, "scope") == Field("scope", "choice", False, ("layer", "global"))
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
        (QuantizeInt8, "calibrator", "best", "minmax, entropy, percentile, mse"),
    ],
)
def test_what_cannot_be_typed_says_what_can(kind: type, name: str, text: str, says: str):
    with pytest.raises(RecipeRefused, match=says.replace("(", r"\(")) as refused:
        parse(field(kind, name), text)
    assert refused.value.fix


@given(st.sampled_from(list(STEPS.values())), st.data())
def test_what_is_shown_can_be_typed_again(kind: type, data: st.DataObject):
    step = PruneMagnitude(amount=0.25) if kind is PruneMagnitude else kind()
    chosen = data.draw(st.sampled_from(fields_of(kind)))
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
    assert Draft(Asked()).add("prune.magnitude") is None


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
    assert draft.asked.shapes == {"m": {"image": (1, 3, 8, 8)}}
    assert draft.shape_text("m", "image") == "1x3x8x8"
    draft.set_shape("m", "image", "")
    assert draft.asked.shapes == {"m": {}}
    for wrong in ("a", "1x0", "3x"):
        with pytest.raises(RecipeRefused, match="no shape"):
            draft.set_shape("m", "image", wrong)


def test_workloads_and_backend_settings(draft: Draft):
    draft.set_workload("paced 15")
    assert draft.asked.workload == Paced(rate_hz=15)
    draft.set_workload("flat-out")
    assert draft.asked.workload == FlatOut()
    with pytest.raises(RecipeRefused, match="flat-out, or a rate"):
        draft.set_workload("slow")
    draft.set_backend("threads", 3)
    with pytest.raises(RecipeRefused, match="threads cannot be -1"):
        draft.set_backend("threads", -1)
    assert draft.asked.backend.threads == 3


def test_a_backends_settings_are_its_own_table_or_those_outside_of_any(draft: Draft):
    fields = backend_fields(draft.asked.backend)
    assert {"threads", "graph"} <= set(fields)
    assert all("." not in name for name in fields)
    for name in fields_of(BackendSettings)[0].choices:
        draft.set_backend("name", name)
        for key in backend_fields(draft.asked.backend):
            table, inner = backend_table(draft.asked.backend, key)
            assert hasattr(table, inner)
            draft.set_backend(key, getattr(table, inner))
    assert draft.asked.backend.name == name


def test_the_runs_own_settings_have_a_sentence_each():
    docs = docs_of(RunFields)
    assert all(docs.get(f.name) for f in fields_of(RunFields))
