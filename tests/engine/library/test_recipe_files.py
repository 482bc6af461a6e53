"""Recipes as files: the ready ones, the round trip, and every error naming key, file and what to write instead."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.config import Config, Recipes
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.library.recipes import (
    PACKAGED,
    broken_recipes,
    find_recipe,
    list_recipes,
    missing_package,
    read_recipe,
    recipe_toml,
    write_recipe,
)
from edgetui.engine.schema.steps import PrecisionFp16, PruneMagnitude, QuantizeInt8, QuantizeWeights, Recipe, TrainFinetune
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.lists(st.text(min_size=1, max_size=12), max_size=3).map(tuple)
STEPS = st.one_of(
    st.builds(PruneMagnitude, scope=st.sampled_from(["layer", "global"]), amount=st.floats(0, 1), on=st.booleans()),
    st.builds(PruneMagnitude, threshold=st.floats(1e-9, 10)),
    st.builds(
        QuantizeInt8,
        scheme=st.sampled_from(["symmetric", "affine"]),
        calibrator=st.just("percentile"),
        percentile=st.floats(51, 100),
        per_channel=st.booleans(),
        samples=st.integers(1, 10000),
        exclude=NAMES,
    ),
    st.builds(QuantizeInt8, calibrator=st.sampled_from(["minmax", "entropy", "mse"])),
    st.builds(QuantizeWeights, bits=st.sampled_from([4, 8]), grouping=st.just("block"), block=st.integers(8, 1024)),
    st.builds(PrecisionFp16, keep=NAMES),
    st.builds(TrainFinetune, samples=st.none() | st.integers(1, 10000), keep_zeros=st.booleans()),
)


def refused(folder: Path, text: str) -> RecipeRefused:
    file = folder / "mine.toml"
    file.write_text(text)
    with pytest.raises(RecipeRefused) as caught:
        read_recipe(file)
    assert "mine.toml" in caught.value.what
    return caught.value


def test_every_ready_recipe_reads_and_says_what_it_is():
    found = list_recipes(Config())
    assert len(found) == len(list(PACKAGED.glob("*.toml"))) >= 13
    assert all(recipe.title and recipe.step for recipe in found)
    assert broken_recipes(Config()) == ()


@given(recipe=st.builds(Recipe, title=st.text(max_size=20), step=st.lists(STEPS, min_size=1, max_size=4).map(tuple)))
def test_what_is_written_reads_the_same(tmp_path_factory, recipe):
    file = tmp_path_factory.mktemp("recipe") / "kept.toml"
    write_recipe(recipe, file)
    assert read_recipe(file) == msgspec.structs.replace(recipe, name="kept")


def test_a_written_recipe_keeps_silent_about_what_does_not_apply():
    text = recipe_toml(Recipe(step=(QuantizeInt8(calibrator="minmax"), QuantizeWeights(bits=4))))
    assert "percentile" not in text
    assert "block" not in text
    assert "exclude" not in text


@pytest.mark.parametrize(
    ("step", "what", "fix"),
    [
        ('method = "prune.magnitude"\namount = 1.5', "`amount = 1.5`", "at most 1"),
        ('method = "prune.magnitude"\namount = 0.5\nthreshold = 0.1', "both `amount` and `threshold`", "keep one"),
        ('method = "prune.magnitude"', "`amount` or `threshold`", "amount = 0.3"),
        ('method = "prune.magnitude"\namout = 0.5', "`amout`", "did you mean `amount`?"),
        ('method = "prune.magnitud"\namount = 0.5', "`prune.magnitud`", "did you mean `prune.magnitude`?"),
        (
            'method = "quantize.int8"\ncalibrator = "entropi"',
            '`calibrator = "entropi"`',
            "write `entropy`: it is one of entropy, minmax, mse, percentile",
        ),
        ('method = "quantize.int8"\nsamples = 0', "`samples = 0`", "at least 1"),
        ('method = "quantize.int8"\nper_channel = "no"', "`per_channel", "true or false"),
        ('method = "quantize.int8"\nexclude = "Softmax"', "`exclude", "a list"),
        ('method = "quantize.weights"\nbits = 5', "`bits = 5`", "4, 8"),
        ("amount = 0.5", "no `method`", "prune.magnitude"),
        ('method = "train.finetun"', "no method `train.finetun`", "did you mean `train.finetune`?"),
        ('method = "train.finetune"\nlearning_rate = 0.0', "`learning_rate = 0.0`", "above 0"),
    ],
)
def test_a_step_that_cannot_be_is_named_with_what_can(tmp_path, step, what, fix):
    error = refused(tmp_path, f"[[step]]\n{step}\n")
    assert what in error.what
    assert fix in error.fix


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ('titel = "x"', "`titel`", "did you mean `title`?"),
        ('title = "x"', "no steps", "[[step]]"),
        ('[step]\nmethod = "quantize.int8"', "not a list of tables", "[[step]]"),
        ("step = [", "not valid TOML", "correct"),
    ],
)
def test_a_file_that_is_no_recipe_says_why(tmp_path, text, what, fix):
    error = refused(tmp_path, text)
    assert what in error.what
    assert fix in error.fix


def test_a_step_that_trains_is_read_with_and_missing_package(tmp_path):
    file = tmp_path / "tuned.toml"
    file.write_text('[[step]]\nmethod = "train.finetune"\nepochs = 2\n')
    recipe = read_recipe(file)
    error = missing_package(recipe.active)
    if importlib.util.find_spec("torch") is not None:
        assert error is None
    else:
        assert error is not None
        assert error.what == "step `train.finetune` needs PyTorch, which this Python does not have"
        assert "pip install 'edgetui[train]'" in error.fix


def test_a_step_that_is_off_needs_no_torch():
    assert missing_package(Recipe(step=(TrainFinetune(on=False), PrecisionFp16())).active) is None


def test_own_recipes_hide_packaged_ones_and_a_broken_one_hides_nothing(tmp_path):
    config = Config(recipes=Recipes(folder=str(tmp_path)))
    write_recipe(Recipe(title="mine", step=(PrecisionFp16(),)), tmp_path / "int8.toml")
    (tmp_path / "bad.toml").write_text("x = 1")
    assert find_recipe("int8", config).title == "mine"
    assert "int8-mse" in [recipe.name for recipe in list_recipes(config)]
    assert "bad.toml" in broken_recipes(config)[0]


def test_an_unknown_name_gets_the_nearest_and_a_path_is_a_path(tmp_path):
    with pytest.raises(RecipeRefused, match="did you mean `prune-5-fp16`"):
        find_recipe("prune5-fp16", Config())
    with pytest.raises(RecipeRefused, match="there is no recipe file"):
        find_recipe(str(tmp_path / "none.toml"), Config())
    write_recipe(Recipe(step=(PrecisionFp16(),)), tmp_path / "one.toml")
    assert find_recipe(str(tmp_path / "one.toml"), Config()).name == "one"
