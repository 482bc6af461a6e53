"""A recipe's limit on how far the candidate's outputs may be from the baseline's."""

from __future__ import annotations

import pytest
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.library.recipes import read_recipe, write_recipe

STEP = '[[step]]\nmethod = "precision.fp16"\n'


def test_the_limit_is_read_and_written(tmp_path):
    (tmp_path / "a.toml").write_text("least_cosine = 0.99\n" + STEP)
    recipe = read_recipe(tmp_path / "a.toml")
    assert recipe.least_cosine == 0.99
    write_recipe(recipe, tmp_path / "b.toml")
    assert read_recipe(tmp_path / "b.toml").least_cosine == 0.99


@pytest.mark.parametrize("value", ["0", "1.5", "true", '"high"', "-0.5"])
def test_a_limit_that_cannot_be_is_refused(value, tmp_path):
    (tmp_path / "a.toml").write_text(f"least_cosine = {value}\n" + STEP)
    with pytest.raises(RecipeRefused, match="least_cosine"):
        read_recipe(tmp_path / "a.toml")
