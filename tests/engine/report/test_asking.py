"""Shapes, workloads and goals as they are typed."""

from __future__ import annotations

import pytest
from edgetui.engine.advise import Goal, parse_goal
from edgetui.engine.errors import UsageError
from edgetui.engine.spec import FlatOut, Paced, parse_shape, parse_workload
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


@pytest.mark.parametrize(
    "text", ["paced:0", "paced:1e-9", "paced:inf", "paced:x", "paced:-1", "paced:nan", "flat-out:3", "fast", ""]
)
def test_no_workload(text):
    with pytest.raises(UsageError, match="paced:HZ"):
        parse_workload(text)


def test_goals():
    assert parse_goal("") == Goal()
    assert parse_goal("smallest drop=0.02") == Goal(aim="smallest", max_drop=0.02)
    assert parse_goal("least-energy, top1=.8") == Goal(aim="least-energy", min_top1=0.8)


@pytest.mark.parametrize(
    ("text", "fix"), [("fastet", "`fastest`"), ("drop=2", "drop=0.02"), ("top1=x", "top1=0.80"), ("a=1", "drop")]
)
def test_no_goal(text, fix):
    with pytest.raises(UsageError) as caught:
        parse_goal(text)
    assert fix in caught.value.fix
