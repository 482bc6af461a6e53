"""Columns of one name, and columns that were measured apart: what tells them apart, and whose intervals are how wide."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.advice.compare import compare
from edgetui.engine.report.evidence import evidence
from edgetui.engine.report.html_report import html_report
from edgetui.engine.report.markdown import markdown
from edgetui.engine.report.text import comparison_report
from edgetui.engine.schema.figures import Correction
from edgetui.engine.schema.result import Result

RUNS = ("20261120-1401-resnet20-int8", "20261121-0917-resnet20-int8")


def twins(make, runs: tuple[str, ...] = RUNS) -> list[Result]:
    return [msgspec.structs.replace(make("int8", 0.45 + 0.01 * n), run=run) for n, run in enumerate(runs)]


def together(result: Result, group: str, variants: int) -> Result:
    many = variants * (variants - 1) // 2
    told = Correction(variants=variants, comparisons=many, confidence=1 - 0.05 / many)
    return msgspec.structs.replace(result, group=group, correction=told)


def of_intervals(results: list[Result]) -> list[str]:
    return [line for line in compare(results).advice if line.startswith("Intervals of")]


def test_columns_of_one_name_have_a_row_that_says_which_run_each_is(make):
    found = compare(twins(make))
    assert found.columns[1:] == ("int8", "int8 #2")
    assert (found.rows[0].label, found.rows[0].cells) == ("run", ("", "20261120-1401", "20261121-0917"))
    told = evidence(twins(make))
    for text in (
        comparison_report(found, 120),
        markdown(told).partition("## Advice")[0],
        html_report(told).partition("Cost and")[0],
    ):
        assert "20261121-0917" in text


def test_runs_of_one_minute_have_their_whole_ids(make):
    runs = (RUNS[0], f"{RUNS[0]}-2")
    assert compare(twins(make, runs)).rows[0].cells == ("", *runs)
    assert compare(twins(make, (*runs, RUNS[1]))).rows[0].cells == ("", *runs, "20261121-0917")


def test_names_that_differ_need_no_such_row(make):
    assert compare([make(), make("fp16", 0.6)]).rows[0].label == "latency, mean"


def test_sentences_of_a_report_have_the_names_of_its_columns(make):
    told = evidence(twins(make))
    for text in (markdown(told), html_report(told)):
        assert "int8 against FP32" in text
        assert "int8 #2 against FP32" in text


def test_ruined_outputs_are_told_by_the_names_of_columns(make):
    one, other = twins(make)
    told = evidence([one, msgspec.structs.replace(other, fidelity=msgspec.structs.replace(other.fidelity, ruined="all zeros"))])
    assert "RUINED (int8 #2): all zeros" in markdown(told)
    assert "RUINED (int8 #2): all zeros" in html_report(told)


def test_a_run_that_was_measured_alone_has_plain_intervals(make):
    assert of_intervals([make(), together(make("fp16", 0.6), "g", 3)]) == [
        "Intervals of the ratios of fp16 hold together with 95 %: 3 ratios of 3 variants, each at 98.3 % (Bonferroni).",
        "Intervals of the ratios of int8 have 95 % each.",
    ]


@pytest.mark.parametrize("variants", [3, 4])
def test_each_group_is_told_with_the_names_of_its_columns(make, variants):
    one = [together(make(name, 0.5), "g", 3) for name in ("int8", "prune")]
    other = [together(make(name, 0.6), "h", variants) for name in ("fp16", "both")]
    first, second = of_intervals([one[0], other[0], one[1], other[1]])
    assert "of int8 and prune hold together" in first
    assert "of fp16 and both hold together" in second
    assert ("98.3 %" if variants == 3 else "99.2 %") in second


def test_a_group_alone_needs_no_names(make):
    told = [together(make(name, 0.5), "g", 3) for name in ("int8", "prune")]
    assert of_intervals(told) == [
        "Intervals of ratios hold together with 95 %: 3 ratios of 3 variants, each at 98.3 % (Bonferroni)."
    ]
    assert of_intervals([make(), make("fp16", 0.6)]) == []


def test_a_front_says_that_it_goes_by_figures(make):
    found = compare([make(), make("fp16", 0.6)])
    assert "It goes by the figures, intervals aside." in " ".join(comparison_report(found, 120).split())
