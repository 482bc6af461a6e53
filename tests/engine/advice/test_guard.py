"""INT8 is recommended only where it is shown to beat FP16 that was measured beside it."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

import msgspec
import pytest
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.sentences import verdict_sentence
from edgetui.engine.report.evidence import evidence
from edgetui.engine.report.markdown import markdown
from edgetui.engine.report.text import run_report
from edgetui.engine.schema.figures import Correction, Difference, Pair, Ratio
from edgetui.engine.schema.result import Result


def ratio(value: float, half: float = 0.02) -> Ratio:
    return Ratio(value=value, low=value - half, high=value + half, interleaved=True)


def guarded(int8: Result, to_guard: Ratio, guard_to_fp32: Ratio, run: str | None = None) -> Result:
    guard = msgspec.structs.replace(int8.candidate, size_bytes=2 * (int8.candidate.size_bytes or 0))
    beside = msgspec.structs.replace(int8.difference, latency_ratio=guard_to_fp32, size_ratio=0.5)
    difference = msgspec.structs.replace(int8.difference, latency_ratio_to_guard=to_guard)
    return msgspec.structs.replace(
        int8, guard=guard, guard_run=run, guard_difference=beside, guard_fidelity=int8.fidelity, difference=difference
    )


def test_a_guard_that_is_equally_fast_is_recommended(make):
    """The negative control: INT8 twice as fast as FP32, and FP16 just as fast."""
    result = guarded(make(), ratio(1.0), ratio(0.45))
    found = compare([result])
    assert found.columns == ("FP32", "int8", "FP16 guard")
    assert found.runs == ("", result.run, "")
    assert found.choice == "FP16 guard"
    assert "int8 is out: it is not shown to be faster than FP16 (1.00 [0.98, 1.02])." in found.advice
    assert "Not shown faster than FP16 (ratio 1.00 [0.98, 1.02]): deploy FP16." in verdict_sentence(result)


def test_int8_that_beats_its_guard_is_taken(make):
    result = guarded(make(), ratio(0.7), ratio(0.65))
    found = compare([result])
    assert found.choice == "int8"
    assert "Faster than FP16 as well (ratio 0.700 [0.680, 0.720])." in verdict_sentence(result)
    assert any(line.startswith("Runner-up: FP16 guard") for line in found.advice)


@pytest.mark.parametrize("to_guard", [ratio(0.99), ratio(1.3), Ratio(value=0.5), Ratio()])
def test_int8_never_wins_without_proof_however_fast_it_is_beside_fp32(make, to_guard):
    found = compare([guarded(make("int8", 0.2), to_guard, ratio(0.45))])
    assert found.choice == "FP16 guard"


def test_where_fp16_is_slower_than_fp32_nobody_is_sent_there(make):
    result = guarded(make("int8", 1.6, "slower"), ratio(1.0), ratio(1.6))
    assert "deploy FP32, which is faster" in verdict_sentence(result)
    assert compare([result]).choice == "FP32"


def test_what_the_goal_is_about_decides_what_int8_has_to_beat(make):
    result = guarded(make(), ratio(1.0), ratio(0.45))
    assert compare([result], "smallest").choice == "int8"
    assert compare([result], "least-memory").choice != "int8"


def test_a_member_of_the_group_that_is_the_guard_has_its_own_column_alone(make):
    half = make("fp16", 0.45, size=0.5)
    result = guarded(make(), ratio(1.0), ratio(0.45), run=half.run)
    found = compare([result, half])
    assert found.columns == ("FP32", "int8", "fp16")
    assert found.choice == "fp16"


def test_without_a_guard_nothing_is_said_of_one(make):
    result = make()
    assert result.guard is None
    assert "FP16" not in verdict_sentence(result)
    assert "FP16" not in " ".join(compare([result]).advice)


def test_every_report_has_its_column(make):
    result = guarded(make(), ratio(1.0), ratio(0.45))
    assert "FP16 guard" in run_report(result, 120)
    assert "FP16 guard" in markdown(evidence([result]))
    assert Difference().latency_ratio_to_guard is msgspec.UNSET
    assert b"to_guard" not in msgspec.json.encode(make())


@pytest.mark.parametrize(("between", "said"), [(ratio(1.01), "is not shown to differ"), (ratio(1.2), "Runner-up")])
def test_two_of_a_group_are_judged_by_the_ratio_that_was_measured_between_them(make, between, said):
    """Their ratios to FP32 overlap, which alone would say that they do not differ."""
    one, other = make("int8", 0.450), make("prune", 0.455)
    pair = Pair(a=one.run, b=other.run, latency_ratio=between)
    found = compare([msgspec.structs.replace(result, pairs=(pair,)) for result in (one, other)])
    assert found.choice == "int8"
    line, beside = [line for line in found.advice if "prune" in line]
    assert f"latency: prune/int8 {between.value:.2f} [" in beside
    apart = compare([one, other]).advice
    assert not [line for line in apart if "over each other" in line]
    assert said in line
    assert f"{between.value:.2f} [" in line
    assert "of int8's latency" in line


def test_of_many_only_ratios_that_decide_are_told(make):
    """Six candidates have fifteen ratios: told are those of the best beside each, and of neighbours in rank."""
    each = [make(f"r{place}", 0.4 + 0.02 * place) for place in (3, 0, 5, 1, 4, 2)]
    pairs = tuple(Pair(a=one.run, b=other.run, latency_ratio=ratio(1.1)) for one, other in combinations(each, 2))
    found = compare([msgspec.structs.replace(result, pairs=pairs) for result in each])
    (line,) = [line for line in found.advice if "over each other" in line]
    told = {frozenset(names) for names in re.findall(r"(r\d)/(r\d) 1\.10", line)}
    others = [f"r{place}" for place in range(1, 6)]
    assert told == {frozenset(names) for names in (*(("r0", other) for other in others), *pairwise(others))}
    few = compare([msgspec.structs.replace(result, pairs=pairs) for result in each[:4]])
    (line,) = [line for line in few.advice if "over each other" in line]
    assert line.count("1.10 [") == 6


def test_how_intervals_allow_for_each_other_is_said_where_there_are_several(make):
    told = "Intervals of ratios hold together with 95 %: 3 ratios of 3 variants, each at 98.3 % (Bonferroni)."
    result = msgspec.structs.replace(make(), correction=Correction(variants=3, comparisons=3, confidence=1 - 0.05 / 3))
    assert told in compare([result]).advice
    assert told in " ".join(run_report(result, 200).split())
    assert "Bonferroni" not in run_report(make(), 200)
