"""What steps say of themselves is so: the function is there and takes what the step needs; a missing package is named."""

from __future__ import annotations

import importlib
import inspect
from typing import Literal

import msgspec
import pytest
from edgetui.engine.library import recipes
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.step import Kernels, Step
from edgetui.engine.schema.steps import STEPS, Pruning, QuantizeInt8, QuantizeWeights, Recipe, TrainFinetune

ARGUMENTS = {"none": 4, "optional": 5, "calibration": 5, "training": 5, "labelled": 5}


def a_step(kind: type[Step]) -> Step:
    return kind(**dict(kind.one_of[:1]))


@pytest.mark.parametrize("kind", STEPS.values())
def test_the_function_of_a_step_takes_what_it_needs(kind):
    module, _, name = kind.function.partition(":")
    function = getattr(importlib.import_module(f"edgetui.engine.{module}"), name)
    names = list(inspect.signature(function).parameters)
    if kind.resumes:
        assert names.pop() == "kept"
    assert (names[0], names[-1], len(names)) == ("step", "say", ARGUMENTS[kind.needs])


@pytest.mark.parametrize("kind", STEPS.values())
def test_fields_that_facts_name_are_fields(kind):
    fields = set(kind.__struct_fields__)
    assert {name for name, _ in kind.one_of} | {name for only in kind.only_with for name in only[:2]} <= fields
    assert a_step(kind).silent_fields <= fields


def test_a_family_is_no_step():
    assert Pruning not in STEPS.values()
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"step": [{"method": "Pruning"}]}, Recipe)


@pytest.mark.parametrize("given", [{}, {"this": 1, "that": 2}])
def test_one_of_several_fields_is_given(given):
    class Either(Step, frozen=True, kw_only=True, tag="test.either"):
        one_of = (("this", 1), ("that", 2))
        this: int | None = None
        that: int | None = None

    with pytest.raises(ValueError, match="give either `this` or `that`"):
        Either(**given)
    assert Either(that=2).that == 2


def test_a_field_without_effect_is_not_written():
    assert QuantizeInt8(calibrator="mse").silent_fields == {"percentile"}
    assert "percentile" not in recipes.step_table(QuantizeInt8(calibrator="mse"))
    assert recipes.step_table(QuantizeWeights(grouping="block", block=64))["block"] == 64


def test_a_package_that_is_not_here_is_named():
    class Searching(Step, frozen=True, kw_only=True, tag="test.searching"):
        packages = ("no_such_package",)

    error = recipes.missing_package((Searching(),))
    assert str(error) == (
        "step `test.searching` needs no_such_package, which this Python does not have; "
        "pip install no_such_package, or take a recipe without test.searching"
    )
    assert TrainFinetune.packages == ("torch",)


@pytest.mark.parametrize(
    ("step", "everywhere", "blocks", "left"),
    [
        (QuantizeInt8(), False, True, 7),
        (QuantizeInt8(), True, True, 0),
        (QuantizeWeights(grouping="block", block=32), False, True, 0),
        (QuantizeWeights(grouping="block", block=32), False, False, 5),
        (QuantizeWeights(), False, False, 0),
    ],
)
def test_what_stays_wide_follows_from_what_the_backend_can(step, everywhere, blocks, left):
    facts = ModelFacts(name="m", prunable=100, prunable_in_floats=7, prunable_deep={16: 3, 64: 5})
    assert step.left_wide(facts, Kernels(int8_everywhere=everywhere, blocks_anywhere=blocks)) == left


def test_what_is_emulated_is_not_promised():
    emulated: dict[Literal["int8"], str] = {"int8": "it rounds floats"}
    assert QuantizeInt8().cannot_win((), Kernels(emulated=emulated)) == "it rounds floats"
    assert QuantizeInt8().cannot_win((), Kernels()) == ""
