"""Outputs that are no quantities: classes, masks and texts are equal or they are not; what is beside them counts as before."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.graph.output_meaning import Meaning, Part
from edgetui.engine.measure.fidelity import FidelityMeter

DRAW = np.random.default_rng(7)


def compared(meanings, a, b, n=1, **more):
    found = FidelityMeter(meanings, **more)
    found.add(a, b, n)
    return found


def test_class_numbers_are_counted_and_have_no_size():
    a = {"classes": np.array([[1, 17, 3, 3]]), "logits": np.array([[1.0, 2.0]])}
    b = {"classes": np.array([[1, 2, 3, 3]]), "logits": np.array([[1.0, 2.001]])}
    found = compared({}, a, b)
    figures = found.figures()
    assert figures.agreement == 0.75
    assert figures.max_abs == pytest.approx(0.001)
    assert figures.sqnr_db == pytest.approx(10 * np.log10(5 / 1e-6), abs=0.1)
    whole = {each.name: each for each in figures.outputs}
    assert (whole["classes"].kind, whole["classes"].cosine, whole["classes"].agreement) == ("labels", None, 0.75)
    assert "equal or they are not" in found.reasons()["outputs.0.cosine"]


def test_class_numbers_alone_leave_no_cosine_and_say_why():
    found = compared({}, {"c": np.array([0, 1])}, {"c": np.array([0, 5])})
    figures = found.figures()
    assert (figures.cosine, figures.sqnr_db, figures.offset_rate_abs, figures.agreement) == (None, None, None, 0.5)
    assert found.reasons()["cosine"] == "no output is a quantity: see agreement"


def test_how_classes_are_numbered_changes_nothing():
    classes = DRAW.integers(0, 9, (1, 20, 20))
    other = np.where(DRAW.random(classes.shape) < 0.1, (classes + 1) % 9, classes)
    names = DRAW.permutation(9) * 100
    left = compared({}, {"c": classes}, {"c": other}).figures()
    assert left == compared({}, {"c": names[classes]}, {"c": names[other]}).figures()


def test_labels_that_were_cast_are_told_by_the_graph():
    a, b = np.array([[1.0, 2.0]], np.float32), np.array([[1.0, 3.0]], np.float32)
    figures = compared({"c": Meaning(labels=True)}, {"c": a}, {"c": b}).figures()
    assert (figures.cosine, figures.agreement) == (None, 0.5)


def test_an_image_of_bytes_is_a_quantity_of_which_equal_elements_are_counted():
    a, b = np.full((1, 4), 100, np.uint8), np.array([[100, 101, 100, 99]], np.uint8)
    figures = compared({"image": Meaning()}, {"image": a}, {"image": b}).figures()
    assert (figures.max_abs, figures.agreement) == (1.0, 0.5)


def test_a_mask_and_a_text_are_counted():
    a = {"mask": np.array([True, False]), "text": np.array(["cat", "dog"], object)}
    b = {"mask": np.array([True, True]), "text": np.array(["cat", "dog"], object)}
    figures = compared({}, a, b).figures()
    assert {each.name: each.agreement for each in figures.outputs} == {"mask": 0.5, "text": 1.0}


def test_labels_beside_quantities_in_one_output_are_left_out_of_its_cosine():
    said = {"rows": Meaning(parts=(Part("box", 2, False), Part("class", 1, True)), parts_axis=-1)}
    a, b = np.array([[[1.0, 2.0, 70.0], [3.0, 4.0, 0.0]]]), np.array([[[1.0, 2.0, 3.0], [3.0, 4.0, 0.0]]])
    figures = compared(said, {"rows": a}, {"rows": b}).figures()
    assert (figures.cosine, figures.max_abs, figures.agreement) == (pytest.approx(1.0), 0.0, 0.5)


def test_one_computation_rounded_twice_raises_no_doubt():
    classes = DRAW.integers(0, 9, (1, 50, 50))
    other = np.where(DRAW.random(classes.shape) < 0.03, 4, classes)
    assert compared({}, {"c": classes}, {"c": other}, chance=True).doubts(0.9) == ""


def test_maps_of_other_classes_are_doubted_however_large_the_background():
    background = np.zeros((1, 100, 100), np.int64)
    seen = np.where(DRAW.random(background.shape) < 0.04, 3, background)
    assert "only" in compared({}, {"c": DRAW.integers(0, 9, (1, 50))}, {"c": DRAW.integers(0, 9, (1, 50))}, chance=True).doubts(
        0.9
    )
    assert "by chance" in compared({}, {"c": seen}, {"c": background}, chance=True).doubts(0.9)
    assert compared({}, {"c": background}, {"c": background}, chance=True).doubts(0.9) == ""


def test_numbers_are_counted_as_they_are_whatever_the_batch():
    a = DRAW.integers(0, 3, (6, 5))
    b = DRAW.integers(0, 3, (6, 5))
    whole, parts = FidelityMeter(), FidelityMeter()
    whole.add({"c": a}, {"c": b}, 6)
    for start in (0, 4):
        rows = slice(start, start + 4)
        filled = [np.concatenate([x[rows], np.full((4 - len(x[rows]), 5), 9)]) for x in (a, b)]
        parts.add({"c": filled[0]}, {"c": filled[1]}, len(a[rows]), 4)
    assert whole.figures() == parts.figures()


def test_a_sequence_is_compared_tensor_by_tensor():
    found = FidelityMeter({"s": Meaning()})
    a = [np.array([3.0, 4.0]), np.array([1, 2, 3])]
    found.add({"s": a}, {"s": [np.array([3.0, 4.5]), np.array([1, 2, 4])]})
    assert [(each.name, each.kind) for each in found.figures().outputs] == [("s[0]", "quantity"), ("s[1]", "labels")]
    assert (found.figures().max_abs, found.figures().agreement) == (0.5, pytest.approx(2 / 3))
    assert found.warnings() == []


def test_what_is_not_compared_is_said():
    found = FidelityMeter()
    found.add({"s": [np.ones(2)], "z": [{"cat": 0.5}]}, {"s": [np.ones(2), np.ones(2)], "z": [{"cat": 0.5}]})
    assert found.warnings() == [
        "output s differs in shape between the sides and is not compared",
        "output z holds no tensors and is not compared",
    ]
