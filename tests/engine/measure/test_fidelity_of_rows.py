"""Rows in an order that the data choose: whichever order and number, rows find their twins; wrong ones do not."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.graph.output_meaning import Meaning, Part, RowOrder
from edgetui.engine.measure.fidelity import FidelityMeter
from edgetui.engine.measure.matching import match
from hypothesis import given
from hypothesis import strategies as st

SOURCE = frozenset({"best"})
ROWS = Meaning(
    parts=(Part("boxes", 4, False), Part("score", 1, False), Part("class", 1, True)),
    parts_axis=-1,
    orders=(RowOrder(-2, frozenset({-3}), 1, SOURCE),),
)


def detections(seed: int, count: int = 60, classes: int = 5):
    """Boxes, scores falling, and classes: (1, count, 6)."""
    draw = np.random.default_rng(seed)
    boxes = draw.uniform(0, 640, (count, 4))
    scores = np.sort(draw.uniform(0.05, 0.9, (count, 1)), axis=0)[::-1]
    return np.concatenate([boxes, scores, draw.integers(0, classes, (count, 1))], axis=1)[None].astype(np.float32)


def shaken(rows, seed: int, noise: float = 1e-3):
    """The same with noise, in another order, and two rows fewer at the end replaced by others."""
    draw = np.random.default_rng(seed)
    other = rows.copy()
    other[..., :5] *= 1 + noise * draw.standard_normal(other[..., :5].shape)
    other = other[:, draw.permutation(other.shape[1])]
    return other.astype(np.float32)


def compared(a, b, said=ROWS, *, chance=False):
    found = FidelityMeter({"y": said}, chance=chance)
    found.add({"y": a}, {"y": b})
    return found


@given(st.integers(0, 50))
def test_another_order_is_no_difference(seed):
    rows = detections(seed)
    figures = compared(rows, rows[:, np.random.default_rng(seed).permutation(60)]).figures()
    assert (figures.rows_matched, figures.agreement, figures.max_abs, figures.cosine) == (1.0, 1.0, 0.0, pytest.approx(1.0))


def test_boxes_and_scores_are_judged_apart():
    rows = detections(1)
    other = rows.copy()
    other[..., 4] *= 0.98
    by_part = {each.part: each for each in compared(rows, other).figures().outputs}
    assert by_part["boxes"].max_abs == 0
    assert by_part["score"].sqnr_db == pytest.approx(20 * np.log10(50), abs=0.1)
    assert (by_part["class"].kind, by_part["class"].agreement) == ("labels", 1.0)


def test_another_number_of_rows_is_no_crash_and_is_counted():
    rows = detections(2)
    figures = compared(rows, rows[:, 15:]).figures()
    assert figures.rows_matched == 0.75
    assert figures.score_matched is not None
    assert compared(rows[:, :0], rows[:, :0]).figures().rows_matched is None
    assert compared(rows, rows[:, :0]).figures().rows_matched == 0.0


def test_rows_of_another_class_have_no_twin():
    rows = detections(3)
    other = rows.copy()
    other[:, :30, 5] += 1
    figures = compared(rows, other).figures()
    assert (figures.rows_matched, figures.agreement) == (0.5, 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_rounding_raises_no_doubt_and_other_rows_do(seed):
    rows = detections(seed)
    assert compared(rows, shaken(rows, seed), chance=True).doubts(0.9) == ""
    wrong = shaken(rows, seed)
    wrong[..., :4] = wrong[:, ::-1, :4]
    assert "of y" in compared(rows, wrong, chance=True).doubts(0.9)
    weak = shaken(rows, seed)
    weak[..., 4] *= 0.4
    assert compared(rows, weak, chance=True).doubts(0.9)
    assert "of y" in compared(rows, detections(seed + 100), chance=True).doubts(0.9)


def test_outputs_of_one_choice_are_matched_together():
    rows = detections(4)
    order = np.random.default_rng(4).permutation(60)
    said = {
        "boxes": Meaning(orders=(RowOrder(-2, frozenset({-3}), 1, SOURCE),)),
        "scores": Meaning(orders=(RowOrder(-1, frozenset({-2}), 1, SOURCE),)),
        "classes": Meaning(labels=True, orders=(RowOrder(-1, frozenset({-2}), 1, SOURCE),)),
        "num": Meaning(labels=True),
    }

    def outputs(found):
        return {
            "boxes": found[..., :4],
            "scores": found[..., 4],
            "classes": found[..., 5].astype(np.int32),
            "num": np.array([[60]]),
        }

    found = FidelityMeter(said)
    found.add(outputs(rows), outputs(rows[:, order]))
    figures = found.figures()
    assert (figures.rows_matched, figures.agreement, figures.max_abs) == (1.0, 1.0, 0.0)


def test_samples_of_a_batch_are_matched_each_by_itself():
    rows = np.concatenate([detections(seed) for seed in range(3)])
    found = FidelityMeter({"y": ROWS})
    found.add({"y": rows}, {"y": rows[:, ::-1].copy()}, 2, 3)
    figures = found.figures()
    assert (figures.rows_matched, figures.samples) == (1.0, 2)
    mixed = FidelityMeter({"y": ROWS})
    mixed.add({"y": rows}, {"y": rows[::-1].copy()}, 3, 3)
    assert mixed.figures().rows_matched == pytest.approx(1 / 3, abs=0.1)


def test_places_are_matched_as_a_set():
    said = {"kept": Meaning(labels=True, orders=(RowOrder(-2, frozenset(), 1, SOURCE),))}
    a = np.array([[0, 1, 5], [0, 0, 3], [0, 0, 9]])
    b = np.array([[0, 0, 9], [0, 1, 5], [0, 0, 4], [0, 2, 1]])
    found = FidelityMeter(said)
    found.add({"kept": a}, {"kept": b})
    assert (found.figures().rows_matched, found.figures().cosine) == (0.5, None)


def test_values_sorted_by_themselves_are_compared_in_their_order():
    said = {"v": Meaning(orders=(RowOrder(-1, frozenset({-2}), 1, SOURCE),))}
    a = np.array([[9.0, 5.0, 1.0]])
    assert compared_values(said, a, np.array([[9.5, 5.0, 1.0]])).max_abs == 0.5
    assert compared_values(said, a, a * 3).max_abs == 18.0


def compared_values(said, a, b):
    found = FidelityMeter(said)
    found.add({"v": a}, {"v": b})
    return found.figures()


def test_the_best_classes_and_their_numbers():
    said = {
        "v": Meaning(orders=(RowOrder(-1, frozenset({-2}), 1, SOURCE),)),
        "i": Meaning(labels=True, orders=(RowOrder(-1, frozenset({-2}), 1, SOURCE),)),
    }
    found = FidelityMeter(said)
    a = {"v": np.array([[0.50, 0.21, 0.20, 0.05]]), "i": np.array([[7, 3, 8, 1]])}
    b = {"v": np.array([[0.49, 0.21, 0.20, 0.05]]), "i": np.array([[7, 8, 3, 2]])}
    found.add(a, b)
    figures = found.figures()
    assert (figures.rows_matched, figures.agreement) == (0.75, 0.75)
    assert figures.max_abs == pytest.approx(0.01)


def test_what_fills_up_a_fixed_number_of_rows_is_no_row():
    rows = detections(5)
    padded = np.concatenate([rows, np.zeros((1, 40, 6), np.float32)], axis=1)
    figures = compared(padded, np.concatenate([rows[:, 30:], np.zeros((1, 70, 6), np.float32)], axis=1)).figures()
    assert figures.rows_matched == 0.5


def test_nan_among_rows_is_broken():
    rows = detections(6)
    other = rows.copy()
    other[0, 3, 1] = np.nan
    assert compared(rows, other).broken().startswith("1 output elements are NaN")


def test_rows_laid_end_to_end():
    rows = detections(7)
    said = Meaning(orders=(RowOrder(-1, frozenset({-2}), 6, SOURCE),))
    flat = [each.reshape(1, -1) for each in (rows, rows[:, ::-1].copy())]
    assert compared(*flat, said).figures().max_abs == 0


def test_many_rows_find_their_twins_too():
    draw = np.random.default_rng(8)
    a = draw.uniform(0, 640, (8400, 5))
    order = draw.permutation(8400)
    pairs = match(a, a[order] + 1e-4, np.zeros(5, np.bool_))
    assert len(pairs.first) > 8300
    assert (order[pairs.second] == pairs.first).mean() > 0.99


@given(st.integers(0, 100), st.integers(0, 12), st.integers(0, 12))
def test_no_row_has_two_twins(seed, n, m):
    draw = np.random.default_rng(seed)
    pairs = match(draw.integers(0, 3, (n, 2)).astype(float), draw.integers(0, 3, (m, 2)).astype(float), np.array([False, True]))
    assert len(set(pairs.first)) == len(pairs.first) == len(set(pairs.second)) <= min(n, m)
