"""The front over any axes: costs, qualities, two of them or more."""

from __future__ import annotations

from itertools import combinations

import pytest
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.pareto import AXES, axes_of, pareto, placed
from edgetui.engine.errors import UsageError
from edgetui.engine.report.text import comparison_report
from hypothesis import given
from hypothesis import strategies as st

KEYS = ("latency_ms", "energy_j", "size_mb", "memory_mb", "top1")
PLACES = st.lists(st.fixed_dictionaries({key: st.one_of(st.none(), st.integers(0, 3).map(float)) for key in KEYS}), max_size=8)


@given(places=PLACES, many=st.integers(2, 5), data=st.data())
def test_no_point_of_a_front_is_beaten_and_each_other_is(places, many, data):
    axes = [AXES[key] for key in data.draw(st.permutations(KEYS))[:many]]
    points = [placed(str(n), "", at) for n, at in enumerate(places)]
    costs = {
        n: [(-1 if axis.better == "more" else 1) * value for axis in axes if (value := point.at(axis)) is not None]
        for n, point in enumerate(points)
    }
    whole = {n: each for n, each in costs.items() if len(each) == many}

    def beaten(n: int) -> bool:
        return any(other != whole[n] and all(a <= b for a, b in zip(other, whole[n], strict=True)) for other in whole.values())

    assert pareto(points, axes) == {n for n in whole if not beaten(n)}


def test_a_front_over_more_axes_holds_at_least_one_that_is_best_on_each():
    points = [
        placed("fast", "", {"latency_ms": 1.0, "size_mb": 9.0, "top1": 0.5}),
        placed("small", "", {"latency_ms": 9.0, "size_mb": 1.0, "top1": 0.5}),
    ]
    for keys, front in (("latency_ms,top1", {0}), ("size_mb top1", {1}), ("latency_ms, size_mb, top1", {0, 1})):
        assert pareto(points, axes_of(keys)) == front


def test_any_two_axes_can_be_asked_for():
    for one, other in combinations(AXES, 2):
        assert [axis.axis.key for axis in axes_of(f"{one},{other}")] == [one, other]


@pytest.mark.parametrize(
    ("text", "said"),
    [("latency,top1", "there is no axis `latency`"), ("top1", "two axes or more"), ("top1,top1", "two axes or more")],
)
def test_other_words_are_refused(text, said):
    with pytest.raises(UsageError, match=said) as caught:
        axes_of(text)
    assert caught.value.fix


def test_the_axes_asked_for_are_those_of_the_report(make):
    runs = [make(), make("fp16", 0.6, size=0.2)]
    found = compare(runs, front_over="size_mb,latency_ms")
    assert found.axes == ("size_mb", "latency_ms")
    assert {point.label for point in found.points if point.front} == {"int8", "fp16"}
    assert "On the front of size and latency: int8, fp16." in comparison_report(found, 120)
    assert compare(runs).axes == ("latency_ms", "top1")


def test_an_axis_that_nobody_measured_is_said(make):
    found = compare([make()], front_over="energy_j,top1")
    assert not any(point.front for point in found.points)
    assert found.warnings == ("there is no front over energy: not one of these runs has measured that",)
