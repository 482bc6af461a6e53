"""How long a study is promised to take: what several runs share is counted once, what was done here before is believed."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.runs.study_time import study_time
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeInt8, Recipe, TrainFinetune
from edgetui.engine.schema.study import StudyGroup
from edgetui.engine.schema.workloads import parse_workload

PRUNE = Recipe(name="p", step=(PruneMagnitude(amount=0.5, repair=True),))
INT8 = Recipe(name="i", step=(QuantizeInt8(),))
DATA = Dataset(kind="npz", path="/d.npz")


def group(*recipes: Recipe, workload: str = "flat-out", anew: int = 0, model: str = "m") -> StudyGroup:
    specs = tuple(
        RunSpec(
            model=f"/{model}.onnx", recipe=recipe, dataset=DATA, workload=parse_workload(workload), preset="quick", anew=anew
        )
        for recipe in recipes
    )
    variants = tuple(recipe.name for recipe in recipes)
    return StudyGroup(experiment="e", model=model, repeat=anew, variants=variants, specs=specs, model_sha256=model)


def seconds(*groups: StudyGroup, has_power: bool = False) -> float:
    return study_time(groups, lambda _spec: (), has_power=has_power).about_s


def test_what_groups_share_is_counted_once():
    first, other = group(PRUNE, INT8), group(PRUNE, INT8, workload="paced")
    assert seconds(first, other) < 2 * seconds(first) - 5, "made and evaluated by the first"
    assert seconds(first, group(PRUNE, INT8, anew=1)) > seconds(first, other) + 4, "a repeat is made anew"
    assert seconds(first, group(PRUNE, INT8, model="n")) == pytest.approx(2 * seconds(first), abs=0.2), (
        "seconds are rounded to tenths"
    )


def test_a_workload_takes_its_time_for_every_plan():
    one, two = group(PRUNE, workload="cycle"), group(PRUNE, INT8, workload="cycle")
    assert seconds(one) > 40, "two plans of 20 s"
    assert seconds(two) > seconds(one) + 20
    assert seconds(group(PRUNE, workload="tracking")) > seconds(one), "and the runs of its robot"


def test_a_measurement_that_ends_early_is_usual_and_one_that_does_not_is_the_most():
    told = study_time([group(PRUNE)], lambda _spec: ())
    assert told.about_s < told.most_s
    paced = study_time([group(PRUNE, workload="cycle")], lambda _spec: ())
    assert paced.about_s == paced.most_s
    assert seconds(group(PRUNE), has_power=True) > seconds(group(PRUNE)) + 60


def test_training_is_counted_and_not_foretold():
    trained = Recipe(name="t", step=(*PRUNE.step, TrainFinetune(epochs=100)))
    told = study_time([group(trained)], lambda _spec: ())
    assert told.training == 1
    assert told.about_s == pytest.approx(seconds(group(PRUNE)))


def test_what_was_done_here_before_is_believed_where_all_of_a_group_was():
    took = {"p": (900.0, 100.0, 110.0), "i": (90.0,)}
    told = study_time([group(PRUNE, INT8)], lambda spec: took[spec.recipe.name])
    assert (told.about_s, told.most_s, told.like_before, told.training) == (110.0, 110.0, 1, 0)
    half = study_time([group(PRUNE, INT8)], lambda spec: took["p"] if spec.recipe.name == "p" else ())
    assert half == msgspec.structs.replace(study_time([group(PRUNE, INT8)], lambda _spec: ()))
