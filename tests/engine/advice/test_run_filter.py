"""The filter and the orders of lists of runs: what words mean, what is refused, and that nothing typed ends in a defect."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from edgetui.engine.advice.run_filter import MOST, RunFilter, RunOrder
from edgetui.engine.errors import UsageError
from edgetui.engine.schema.figures import Difference, Ratio
from edgetui.engine.schema.run_summary import RunSummary
from hypothesis import example, given
from hypothesis import strategies as st

NOW = datetime.now(timezone.utc)


def run(name: str, ticket: int = 1, *, days: float = 1.0, ratio: float | None = None, **told: object) -> RunSummary:
    began = (NOW - timedelta(days=days)).isoformat()
    told = {"recipe": "int8", "model": "net.onnx", "board": "Jetson Orin Nano", "state": "done", **told}
    return RunSummary(run=name, ticket=ticket, began=began, difference=Difference(latency_ratio=Ratio(value=ratio)), **told)


RUNS = (
    run("a", 1, days=9, ratio=0.45, figures={"top1": 0.81, "latency_ms": 1.2, "size_mb": 0.36}, seconds=30.0, tags=("field",)),
    run("b", 2, days=3, ratio=0.70, figures={"top1": 0.78, "latency_ms": 0.9}, seconds=400.0, recipe="hybrid-int8"),
    run("c", 3, days=0.1, recipe="fp16", board="Raspberry Pi", state="failed", note="lens was wet", tags=("airfield", "wet")),
)


def kept(text: str) -> str:
    wanted = RunFilter(text)
    return "".join(each.run for each in wanted.kept(RUNS))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "abc"),
        ("recipe:int8", "ab"),
        ("recipe=int8", "a"),
        ("recipe!=int8", "bc"),
        ("recipe:INT8 top1>0.8", "a"),
        ("board:orin ratio<0.5", "a"),
        ("recipe:fp16|hybrid", "bc"),
        ("tag:field", "a"),
        ("tag:air", "c"),
        ("-tag:field", "bc"),
        ("tag:", "ac"),
        ('note:"was wet"', "c"),
        ("wet", "c"),
        ("-wet", "ab"),
        ("top1>80%", "a"),
        ("top1:0.7..0.8", "b"),
        ("top1:0.8..", "a"),
        ("top1=0.8", "ab"),
        ("top1=0.80", ""),
        ("top1=0.81", "a"),
        ("latency<1", "b"),
        ("latency_ms>=0.9", "ab"),
        ("size<1", "a"),
        ("took<5m", "a"),
        ("took>=400s", "b"),
        ("age<1d", "c"),
        ("age>2d age<1w", "b"),
        ("state:failed", "c"),
        (f"began:{RUNS[1].began[:10]}", "b"),
        (f"began>{RUNS[1].began[:10]}", "c"),
        (f"date<={RUNS[1].began[:10]}", "ab"),
        ("accuracy", ""),
        ("-", "b"),
        ("STATE:Failed", "c"),
        ("-State:FAILED TOOK<5M", "a"),
    ],
)
def test_a_word_keeps_the_runs_that_it_says(text: str, found: str):
    assert kept(text) == found


def test_a_figure_that_is_not_known_is_neither_above_nor_below():
    assert "c" not in kept("top1>0") + kept("top1<2") + kept("top1!=0.5") + kept("ratio<9")
    assert kept("-top1>0") == "c"


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("recpie:int8", "no `recpie`", "did you mean `recipe`?"),
        ("RECPIE:INT8", "no `recpie`", "did you mean `recipe`?"),
        ("no-such:int8", "no `no-such`", "known: "),
        ("recipe:int8 or recipe:fp16", "`or` is no word", "recipe:int8|fp16"),
        ("recipe:int8 AND fp16", "`AND` is no word", "all words must hold"),
        ("not recipe:int8", "`not` is no word", "write -recipe:int8"),
        ("!fp16", "`!` is no word", "write -fp16"),
        ("top1>", "wants a number", "top1<0.5"),
        ("top1>much", "wants a number", "top1<0.5"),
        ("took<5parsec", "no unit `parsec`", "known: ms, s, m"),
        ("top1>0.8ms", "no unit `ms`", "known: %"),
        ("recipe>3", "`recipe` is words", "recipe:WORD"),
        ("began>yesterday", "is no date", "age<7d"),
        ('note:"open', "quotation mark", "two words"),
        ("x" * (MOST + 1), f"{MOST + 1} characters", str(MOST)),
        ("top1>nan", "wants a number", ""),
        ("top1<1e999", "wants a number", ""),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(text: str, what: str, fix: str):
    with pytest.raises(UsageError, match=re.escape(what)) as refused:
        RunFilter(text)
    assert fix in refused.value.fix


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["top1", "tag", ">", "<=", ":", "-", '"', "..", "9", "e9", "|", " ", "\0"])).map("".join)
)
@example("took<1e308w")
@example("top1:..")
def test_whatever_is_typed_is_read_or_refused(text: str):
    try:
        wanted = RunFilter(text)
    except UsageError as error:
        said = (error.what, error.fix)
    else:
        said = tuple(str(wanted.kept([each])) for each in RUNS)
    assert all(said)


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("began", "cba"),
        ("-began", "abc"),
        ("top1", "abc"),
        ("-top1", "bac"),
        ("latency", "bac"),
        ("ratio", "abc"),
        ("took", "abc"),
        ("recipe", "cba"),
        ("tag", "cab"),
        ("age", "cba"),
    ],
)
def test_orders_have_the_best_first_and_what_is_not_known_last(by: str, order: str):
    assert "".join(each.run for each in RunOrder(by).sort(RUNS)) == order


def test_an_order_by_nothing_is_refused():
    with pytest.raises(UsageError, match="no `tpo1` to sort by") as refused:
        RunOrder("tpo1")
    assert "top1" in refused.value.fix
