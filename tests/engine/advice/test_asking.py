"""Shapes, workloads and goals as they are typed."""

from __future__ import annotations

import pytest
from edgetui.engine.advice.goals import Goal, Limit, parse_goal
from edgetui.engine.advice.metrics import LIMITED
from edgetui.engine.errors import UsageError
from edgetui.engine.schema.spec import parse_shape
from edgetui.engine.schema.workloads import FlatOut, Paced, Streams, parse_workload
from hypothesis import given
from hypothesis import strategies as st


@given(name=st.text(min_size=1), sizes=st.lists(st.integers(1, 10**6), min_size=1, max_size=6))
def test_a_shape_is_read_as_it_is_written(name, sizes):
    assert parse_shape(f"{name}={'x'.join(map(str, sizes))}") == (name, tuple(sizes))


@pytest.mark.parametrize(
    "text", ["", "image", "=1x2", "image=", "image=0x3", "image=1x-3", "image=1.5", "image=1xx2", "image=?x2"]
)
def test_no_shape_says_how_to_write_one(text):
    with pytest.raises(UsageError, match=r"--shape image=1x3x224x224"):
        parse_shape(text)


def test_workloads():
    assert parse_workload("flat-out") == FlatOut()
    assert parse_workload("paced") == Paced(rate_hz=30)
    assert parse_workload("paced:12.5") == Paced(rate_hz=12.5)
    assert parse_workload("throughput:3") == Streams(streams=3)
    assert parse_workload("throughput") == Streams(streams=4)


@pytest.mark.parametrize(
    "text",
    [
        "paced:0",
        "paced:1e-9",
        "paced:inf",
        "paced:x",
        "paced:-1",
        "paced:nan",
        "flat-out:3",
        "fast",
        "",
        "throughput:0",
        "throughput:2.5",
        "throughput:65",
        "throughput:inf",
    ],
)
def test_no_workload(text):
    with pytest.raises(UsageError, match="paced:HZ"):
        parse_workload(text)


def test_goals():
    assert parse_goal("") == Goal()
    assert parse_goal("smallest drop<=0.02") == Goal(aim="smallest", max_drop=0.02)
    assert parse_goal("least-energy, top1=.8") == Goal(aim="least-energy", limits=(Limit("top1", 0.8),))
    kept = (Limit("top1", 0.8), Limit("memory_mb", 1024.0), Limit("energy_j", 0.5))
    assert parse_goal("top1 >= 0.80 memory_mb<=1024, energy_j <=0.5 drop=0") == Goal(limits=kept, max_drop=0.0)


def test_a_limit_of_quality_takes_the_place_of_what_may_be_lost():
    assert parse_goal("fastest").drop == 0.01
    assert parse_goal("fastest memory_mb<=9").drop == 0.01
    assert parse_goal("fastest top1>=0.5").drop is None
    assert parse_goal("fastest mae<=2.5").drop is None
    assert parse_goal("fastest top1>=0.5 drop<=0.03").drop == 0.03


@pytest.mark.parametrize("key", LIMITED)
def test_every_metric_that_can_be_limited_is_limited_on_its_worse_side(key):
    sign, other = (">=", "<=") if LIMITED[key].better == "more" else ("<=", ">=")
    assert parse_goal(f"{key}{sign}0.5").limits == (Limit(key, 0.5),)
    with pytest.raises(UsageError, match="on its better side") as caught:
        parse_goal(f"{key}{other}0.5")
    assert caught.value.fix == f"write {key}{sign}0.5"


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("fastet", "`fastest`"),
        ("drop=2", "drop=0.02"),
        ("drop>=0.1", "drop<=0.1"),
        ("top1=x", "top1>=0.80"),
        ("top1>=80", "top1>=0.8"),
        ("top1>0.8", "top1>=0.80"),
        ("top1>=nan", "top1>=0.80"),
        ("latency_ms<=-1", "latency_ms<=33"),
        ("dro=1", "`drop`"),
        ("memroy_mb<=9", "`memory_mb`"),
    ],
)
def test_no_goal(text, fix):
    with pytest.raises(UsageError) as caught:
        parse_goal(text)
    assert fix in caught.value.fix
