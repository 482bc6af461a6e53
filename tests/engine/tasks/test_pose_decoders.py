"""Outputs of pose models become poses: heads of Ultralytics' exports, and trt_pose's maps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.tasks.assignment import best_pairs
from edgetui.engine.tasks.decoder import Asked
from edgetui.engine.tasks.part_affinity import KEYPOINTS, SKELETON, along, peaks
from edgetui.engine.tasks.pose_decoder import find_pose_decoder, recognised_pose
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

SIZE = 64
GRID = 8 * 8 + 4 * 4 + 2 * 2
ASKED = Asked((SIZE, SIZE), 1, 1, 17)
DRAW = np.random.default_rng(0)
PEOPLE = np.stack([DRAW.uniform(2, 30, (17, 2)), DRAW.uniform(34, 62, (17, 2))])


def head(each: int = 3, scores: tuple[float, ...] = (0.9, 0.6)) -> np.ndarray:
    """Two people at the first places, a weaker twin of the first at the third."""
    rows = np.zeros((GRID, 5 + 17 * each), np.float32)
    for place, (points, score) in enumerate(zip([*PEOPLE, PEOPLE[0]], [*scores, 0.3], strict=True)):
        low, high = points.min(axis=0), points.max(axis=0)
        spots = np.concatenate([points, np.ones((17, 1))], axis=1)[:, :each]
        rows[place] = [*(low + high) / 2, *(high - low), score, *spots.ravel()]
    return rows.T[None]


@pytest.mark.parametrize("each", [2, 3])
def test_a_raw_head_is_read_and_twins_are_suppressed(each: int):
    decoder = find_pose_decoder({"output0": head(each)}, ASKED)
    (found,) = decoder.poses({"output0": head(each)}, 1)
    assert (decoder.name, decoder.sure) == ("yolov8-pose", True)
    assert found.scores.tolist() == pytest.approx([0.9, 0.6])
    assert found.points == pytest.approx(PEOPLE, abs=1e-4)


def test_an_export_with_the_choice_inside_is_read():
    rows = np.zeros((1, 30, 6 + 51), np.float32)
    for place, (points, score) in enumerate(zip(PEOPLE, (0.5, 0.8), strict=True)):
        spots = np.concatenate([points, np.ones((17, 1))], axis=1)
        rows[0, place] = [*points.min(axis=0), *points.max(axis=0), score, 0, *spots.ravel()]
    (found,) = find_pose_decoder({"out": rows}, ASKED).poses({"out": rows}, 1)
    assert found.scores.tolist() == pytest.approx([0.8, 0.5])
    assert found.points == pytest.approx(PEOPLE[::-1], abs=1e-4)


def test_what_is_not_finite_is_no_pose():
    broken = head()
    broken[0, 6, 0] = np.nan
    (found,) = find_pose_decoder({"y": broken}, ASKED).poses({"y": broken}, 1)
    assert found.scores.tolist() == pytest.approx([0.6])


def test_scores_that_are_none_are_refused():
    logits = head(scores=(4.0, -3.0))
    with pytest.raises(DataRefused, match="not from 0 to 1"):
        find_pose_decoder({"y": logits}, ASKED).poses({"y": logits}, 1)


@pytest.mark.parametrize(
    ("outputs", "asked", "said"),
    [
        ({"y": head()}, ASKED._replace(points=21), r"y \[1, 56, 84\]\) as poses of 21 keypoints and 1 class"),
        ({"y": head()}, ASKED._replace(classes=3), "and 3 classes"),
        ({"y": np.zeros((1, 10))}, ASKED, r"y \[1, 10\]"),
    ],
)
def test_a_decoder_that_does_not_fit_is_refused(outputs, asked, said):
    with pytest.raises(DataRefused, match=said):
        find_pose_decoder(outputs, asked)
    with pytest.raises(DataRefused, match="decoder trt-pose does not read"):
        find_pose_decoder(outputs, asked, "trt-pose")


def laid(people: list[dict[int, tuple[float, float]]], side: int = 56) -> dict[str, np.ndarray]:
    """Maps as trt_pose is trained with them: hills at keypoints, unit vectors along limbs (y first)."""
    down, across = np.mgrid[0:side, 0:side] + 0.5
    cmap, paf = np.zeros((KEYPOINTS, side, side)), np.zeros((2 * len(SKELETON), side, side))
    for person in people:
        for part, (x, y) in person.items():
            cmap[part] = np.maximum(cmap[part], np.exp(-((across - x) ** 2 + (down - y) ** 2) / 2))
        for limb, (a, b) in enumerate(SKELETON):
            if a in person and b in person:
                start, way = np.array(person[a][::-1]), np.array(person[b][::-1]) - person[a][::-1]
                length = np.linalg.norm(way)
                unit = way / length
                along = (down - start[0]) * unit[0] + (across - start[1]) * unit[1]
                beside = np.abs((down - start[0]) * unit[1] - (across - start[1]) * unit[0])
                on = (along > -1) & (along < length + 1) & (beside < 1.5)
                paf[2 * limb][on], paf[2 * limb + 1][on] = unit
    return {"cmap": cmap[None].astype(np.float32), "paf": paf[None].astype(np.float32)}


def person(x: float, y: float, parts: range = range(KEYPOINTS)) -> dict[int, tuple[float, float]]:
    """A person of 20 x 44 places: head above, feet below."""
    rows = [4, 2, 2, 3, 3, 12, 12, 20, 20, 28, 28, 26, 26, 34, 34, 42, 42, 9]
    columns = [10, 8, 12, 6, 14, 4, 16, 3, 17, 2, 18, 6, 14, 6, 14, 6, 14, 10]
    return {part: (x + columns[part], y + rows[part]) for part in parts}


TRT = Asked((224, 224), 1, 1, 17)


def test_two_people_are_parted_by_their_limbs():
    there = [person(3.5, 5.5), person(30.5, 8.5)]
    outputs = laid(there)
    decoder = find_pose_decoder(outputs, TRT)
    (found,) = decoder.poses(outputs, 1)
    assert (decoder.name, decoder.points, len(found.scores)) == ("trt-pose", 17, 2)
    wanted = np.array([[each[part] for part in range(17)] for each in there]) * 4
    order = np.argsort(found.points[:, 0, 0])
    assert found.points[order] == pytest.approx(wanted, abs=3)  # neighbours on the face pull at each other's maps not at all
    assert (found.scores > 0.8).all()


def test_the_neck_stays_where_the_data_have_it():
    outputs = laid([person(20.5, 5.5)])
    (found,) = find_pose_decoder(outputs, TRT._replace(points=18)).poses(outputs, 1)
    assert found.points.shape == (1, 18, 2)
    assert found.points[0, 17] == pytest.approx((122, 58), abs=2)


def test_half_a_person_is_less_sure():
    outputs = laid([person(3.5, 5.5), person(30.5, 8.5, range(5, 13))])
    (found,) = find_pose_decoder(outputs, TRT).poses(outputs, 1)
    assert found.scores[0] > 2 * found.scores[1]
    assert (found.points[1, 13:] == 0).all()


def test_empty_maps_have_nobody():
    outputs = {name: array * 0 for name, array in laid([person(3.5, 5.5)]).items()}
    (found,) = find_pose_decoder(outputs, TRT).poses(outputs, 1)
    assert len(found.scores) == 0


def test_maps_are_recognised_and_heads_of_boxes_are_no_poses():
    assert recognised_pose(laid([person(3.5, 5.5)]), Asked((224, 224), None, 1)) is not None
    assert recognised_pose({"y": np.zeros((1, 84, GRID), np.float32)}, Asked((SIZE, SIZE), None, 1)) is None


def test_a_peak_is_refined_by_its_window():
    """As trt_pose's refine_peaks: the weighted middle of five by five places, mirrored at the border."""
    each = np.zeros((8, 8))
    each[3, 4], each[3, 5] = 0.8, 0.4
    spots, heights = peaks(each)
    assert spots.tolist() == [pytest.approx([3.5, (4 * 0.8 + 5 * 0.4) / 1.2 + 0.5])]
    assert heights.tolist() == [0.8]
    each = np.zeros((8, 8))
    each[0, 0] = 1.0
    each[0, 1] = 0.5
    assert peaks(each)[0].tolist() == [pytest.approx([0.5, 0.5])]  # what is mirrored stands on the other side


def test_a_limbs_score_is_the_field_along_it():
    """As trt_pose's paf_score_graph, written as plainly as there: seven places, what lies outside is nothing."""
    draw = np.random.default_rng(9)
    field, starts, ends = draw.normal(size=(2, 9, 12)), draw.uniform(-1, 12, (3, 2)), draw.uniform(-1, 12, (4, 2))
    found = along(field, starts, ends)
    for (a, start), (b, end) in itertools.product(enumerate(starts), enumerate(ends)):
        way = end - start
        unit, total = way / (np.sqrt((way**2).sum()) + 1e-5), 0.0
        for t in range(7):
            down, across = (int(v) for v in start + t / 6 * way)
            if 0 <= down < 9 and 0 <= across < 12:
                total += field[0, down, across] * unit[0] + field[1, down, across] * unit[1]
        assert found[a, b] == pytest.approx(total / 7)


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
        lambda shape: arrays.arrays(np.float64, shape, elements=st.floats(-1, 1, width=32))
    )
)
def test_pairs_have_the_greatest_sum(scores: np.ndarray):
    found = best_pairs(scores)
    rows, columns = scores.shape
    few, many = min(scores.shape), max(scores.shape)
    turned = scores if rows <= columns else scores.T
    best = max(sum(turned[n, c] for n, c in enumerate(way)) for way in itertools.permutations(range(many), few))
    assert len({row for row, _ in found}) == len({column for _, column in found}) == len(found) == few
    assert sum(scores[pair] for pair in found) == pytest.approx(best)
