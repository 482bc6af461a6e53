"""How far outputs are apart: by hand on small ones, and whatever the batches are."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.errors import PlanRefused
from edgetui.engine.measure.fidelity import NEAR_ZERO, FidelityMeter
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

OUTPUTS = hnp.arrays(np.float32, (6, 3), elements=st.floats(-100, 100, width=32))


def one(a, b, n=1):
    found = FidelityMeter()
    found.add({"y": np.asarray(a)}, {"y": np.asarray(b)}, n)
    return found


def test_the_paper_s_rate_and_its_absolute_twin():
    found = one([[2.0, -4.0, 0.0]], [[1.0, -5.0, 0.5]]).figures()
    assert found.offset_rate == pytest.approx((0.5 - 0.25) / 2)
    assert found.offset_rate_abs == pytest.approx((0.5 + 0.25) / 2)
    assert (found.left_out, found.max_abs, found.samples) == (1, 1.0, 1)
    assert found.sqnr_db == pytest.approx(10 * np.log10(20 / 2.25))
    assert found.cosine == pytest.approx(22 / np.sqrt(20) / np.sqrt(26.25))


def test_identical_outputs_have_no_noise_and_say_so():
    found = one([[1.0, 2.0]], [[1.0, 2.0]])
    figures = found.figures()
    assert (figures.offset_rate, figures.cosine, figures.max_abs, figures.sqnr_db) == (0.0, pytest.approx(1.0), 0.0, None)
    assert "identical" in found.reasons()["sqnr_db"]


def test_noise_beside_an_output_of_zeros_is_no_ratio():
    found = one([[0.0, 0.0]], [[1.0, 2.0]])
    assert found.figures().sqnr_db is None
    assert "no signal" in found.reasons()["sqnr_db"]


@given(OUTPUTS, OUTPUTS, st.integers(1, 6), st.integers(0, 2))
def test_how_samples_are_batched_changes_nothing(a, b, size, padding):
    whole, parts = one(a, b, 6), FidelityMeter()
    for start in range(0, 6, size):
        rows = slice(start, start + size)
        n = len(a[rows])
        of = n + padding if n > 1 else n
        filled = [np.concatenate([x[rows], np.repeat(x[rows][-1:], of - n, axis=0)]) for x in (a, b)]
        parts.add({"y": filled[0]}, {"y": filled[1]}, n, of)
    left, right = whole.figures(), parts.figures()
    assert (left.left_out, left.max_abs, left.samples) == (right.left_out, right.max_abs, right.samples)
    for name in ("offset_rate", "offset_rate_abs", "cosine", "sqnr_db"):
        values = getattr(left, name), getattr(right, name)
        assert values[0] == (None if values[1] is None else pytest.approx(values[1], rel=1e-9, abs=1e-12))


@given(OUTPUTS, st.floats(0.5, 100))
def test_the_unit_of_an_output_changes_no_rate(a, unit):
    b = a + 1
    left, right = one(a, b, 6).figures(), one(a.astype(float) * unit, b.astype(float) * unit, 6).figures()
    assert left.left_out == right.left_out
    assert left.cosine == pytest.approx(right.cosine, abs=1e-9)


def test_what_is_near_zero_is_left_out_by_its_own_sample():
    found = one([[1000.0, NEAR_ZERO * 999], [1.0, NEAR_ZERO * 1001]], [[1000.0, 5.0], [1.0, NEAR_ZERO * 1001]], 2)
    figures = found.figures()
    assert (figures.left_out, figures.offset_rate_abs) == (1, 0.0)


def test_the_worst_output_counts():
    found = FidelityMeter()
    good, bad = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])
    found.add({"a": good, "b": bad}, {"a": good + 1e-6, "b": bad[:, ::-1].copy()})
    figures = found.figures()
    assert figures.cosine == 0.0
    assert figures.sqnr_db == pytest.approx(10 * np.log10(0.5))


def test_nan_and_infinity_are_reported_and_leave_the_others_alone():
    found = one([[1.0, 2.0, 3.0, np.inf]], [[np.nan, 2.0, np.inf, 1.0]])
    assert found.figures().offset_rate == 0.0
    assert found.broken().startswith("2 output elements are NaN or infinite in the candidate")
    assert len(found.warnings()) == 2
    assert one([[1.0]], [[2.0]]).broken() == ""


def test_outputs_of_different_shapes_are_said_and_not_compared():
    found = one([[1.0, 2.0]], [[1.0]])
    assert found.figures().offset_rate is None
    assert "differs in shape" in found.warnings()[0]
    assert found.reasons()["cosine"] == "no output could be compared"


def test_a_missing_output_is_refused():
    with pytest.raises(PlanRefused, match="no output y"):
        FidelityMeter().add({"y": np.zeros(1)}, {"z": np.zeros(1)})
