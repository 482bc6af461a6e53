"""How far outputs moved: the divergence by hand, noise, and what is said where nothing moved or nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.measure.output_shift import NO_CHANGE, NOTHING_SAYS, ClassReader, OutputShift

DRAW = np.random.default_rng(1)
LOGITS = DRAW.standard_normal((6, 4)).astype(np.float32)


def shifted(before: np.ndarray, after: np.ndarray, *, known: bool = True) -> OutputShift:
    classes = ClassReader(known=known)
    classes.look({"y": before}, len(before))
    shift = OutputShift({}, classes)
    shift.add({"y": before}, {"y": after}, len(before))
    return shift


def softmax(scores: np.ndarray) -> np.ndarray:
    wide = np.exp(scores.astype(np.float64))
    return wide / wide.sum(axis=1, keepdims=True)


def test_the_divergence_is_that_of_the_softmax():
    after = LOGITS + 0.3 * DRAW.standard_normal(LOGITS.shape).astype(np.float32)
    p, q = softmax(LOGITS), softmax(after)
    row = shifted(LOGITS, after).figures()
    assert row.kl == pytest.approx((p * np.log(p / q)).sum(axis=1).mean(), rel=1e-9)
    assert row.agreement == np.mean(p.argmax(axis=1) == q.argmax(axis=1))
    noise = np.square(LOGITS.astype(np.float64) - after).sum()
    assert row.sqnr_db == pytest.approx(10 * np.log10(np.square(LOGITS.astype(np.float64)).sum() / noise))


def test_shares_are_taken_as_they_are():
    shares = softmax(LOGITS).astype(np.float32)
    other = softmax(2 * LOGITS).astype(np.float32)
    by_hand = (shares * np.log(shares.astype(np.float64) / other)).sum(axis=1).mean()
    assert shifted(shares, other, known=False).figures().kl == pytest.approx(by_hand, rel=1e-6)


def test_without_a_word_that_they_are_classes_there_is_no_divergence():
    row = shifted(LOGITS, LOGITS + 1, known=False).figures()
    assert row.kl is None
    assert row.reasons["kl"] == NOTHING_SAYS
    assert row.sqnr_db is not None


def test_identical_outputs_are_no_change():
    row = shifted(LOGITS, LOGITS.copy()).figures()
    assert row.sqnr_db is None
    assert row.reasons["sqnr_db"] == NO_CHANGE
    assert (row.kl, row.agreement, row.offset_rate, row.offset_rate_abs) == (0.0, 1.0, 0.0, 0.0)


def test_outputs_that_are_not_finite_have_no_figures():
    after = LOGITS.copy()
    after[2, 1] = np.nan
    row = shifted(LOGITS, after).figures()
    assert (row.kl, row.sqnr_db) == (None, None)
    assert "NaN" in row.reasons["kl"]
    assert "NaN" in row.reasons["sqnr_db"]


def test_what_a_unit_gives_is_told_beside_the_outputs():
    shift = shifted(LOGITS, LOGITS + 1)
    shift.add_local(np.full((2, 3), 10, np.float32), np.full((2, 3), 9, np.float32))
    assert shift.figures().local_sqnr_db == pytest.approx(20.0)
    same = shifted(LOGITS, LOGITS + 1)
    same.add_local(LOGITS, LOGITS)
    assert "no change" in same.figures().reasons["local_sqnr_db"]


def test_a_shape_that_changed_is_not_compared():
    shift = shifted(LOGITS, LOGITS + 1)
    shift.add_local(LOGITS, LOGITS[:, :2])
    assert shift.figures().local_sqnr_db is None
