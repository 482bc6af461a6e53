"""A machine that changes its pace while it is measured is said; noise, one disturbed block and a slow drift are not taken for
it."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.measure.level_shift import level_shift

DRAW = np.random.default_rng(3)


def noise(n: int, sd: float = 0.02) -> np.ndarray:
    return np.exp(DRAW.normal(0, sd, n))


@pytest.mark.parametrize("factor", [1.4, 1 / 1.4])
def test_a_step_is_found_where_it_is(factor):
    means = 0.467 * noise(40)
    means[13:] *= factor
    found = level_shift(means)
    assert found is not None
    assert found.block == 13
    assert found.after / found.before == pytest.approx(factor, rel=0.03)


def test_a_disturbed_block_before_it_hides_no_step():
    means = noise(40)
    means[20:] *= 1.5
    means[3] *= 6
    found = level_shift(means)
    assert found is not None
    assert found.block == 20


@pytest.mark.parametrize(
    "means",
    [
        noise(64),
        noise(64, 0.3),
        noise(64) * np.linspace(1.0, 1.2, 64),
        np.where(np.arange(64) == 40, 5.0, noise(64)),
        noise(7),
        1 + 0.2 * np.sin(np.arange(64)),
    ],
    ids=["noise", "much noise", "drift", "one block", "too few", "periodic"],
)
def test_what_is_no_step_is_not_called_one(means):
    assert level_shift(means) is None
