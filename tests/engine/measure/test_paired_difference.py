"""Differences of pairs, of which few differ."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.measure.statistics import paired_difference


def test_pairs_that_never_differ_do_not_prove_that_nothing_was_lost():
    same = np.ones(500)
    assert paired_difference(same, same, seed=1)[0] == 0
    assert paired_difference(same, same, seed=1)[1] < -0.004  # one in 250 may be lost, and not be seen in 500
    assert paired_difference(same, same, seed=1)[2] > 0.004


def test_the_interval_of_pairs_holds_the_truth():
    draw = np.random.default_rng(0)
    before, lost = draw.random((400, 800)) < 0.82, draw.random((400, 800)) < 0.02
    held = [paired_difference(a.astype(float), (a & ~b).astype(float), seed=3) for a, b in zip(before, lost, strict=True)]
    assert np.mean([low <= -0.82 * 0.02 <= high for _, low, high in held]) >= 0.94


@pytest.mark.parametrize("sides", [([], []), ([1.0], [1.0, 0.0])])
def test_what_are_no_pairs_is_refused(sides):
    with pytest.raises(ValueError, match="are no pairs"):
        paired_difference(*map(np.array, sides), seed=0)
