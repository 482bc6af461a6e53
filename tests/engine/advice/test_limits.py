"""Limits of a goal: all of them are kept or the column is out, and where none keeps them it is said which is nearest."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.sentences import verdict_sentence
from edgetui.engine.schema.figures import Energy, MemoryMb, Ratio


def heavy(run, before: float | None, after: float | None):
    """The run with other peaks of memory."""
    sides = {
        side: msgspec.structs.replace(getattr(run, side), memory_mb=MemoryMb(process_peak=mb))
        for side, mb in (("baseline", before), ("candidate", after))
    }
    return msgspec.structs.replace(run, **sides)


def fed(run, ratio: Ratio | None, word: str):
    """The run with joules, and what is shown of them."""
    energy = Energy(net=2e-3, net_half_width=1e-4)
    less = Energy(net=1e-3, net_half_width=2e-4)
    return msgspec.structs.replace(
        run,
        baseline=msgspec.structs.replace(run.baseline, energy_j_per_inference=energy),
        candidate=msgspec.structs.replace(run.candidate, energy_j_per_inference=less),
        difference=msgspec.structs.replace(run.difference, energy_ratio=ratio),
        verdict={**run.verdict, **({"energy": word} if word else {})},
        reasons={**run.reasons, **({} if ratio else {"difference.energy_ratio": "no power was measured"})},
    )


def test_several_limits_hold_together(make):
    runs = [heavy(make(), 90, 80), heavy(make("fp16", 0.6), 90, 40)]
    assert compare(runs, "fastest memory_mb<=100 top1>=0.5").choice == "int8"
    found = compare(runs, "fastest memory_mb<=50 top1>=0.5 latency_ms<=2")
    assert found.advice[0] == "Goal: fastest with memory ≤ 50 MB and top-1 ≥ 0.5 and latency ≤ 2.00 ms."
    assert found.choice == "fp16"
    assert "int8 is out: memory is 80 MB." in found.advice
    assert "FP32 is out: memory is 90 MB and latency is 2.44 ms." in found.advice


def nearly(run, side: str, **figures):
    """The run with other figures of one side, in the groups that have them."""
    told = getattr(run, side)
    groups = {name: msgspec.structs.replace(getattr(told, name), **fields) for name, fields in figures.items()}
    return msgspec.structs.replace(run, **{side: msgspec.structs.replace(told, **groups)})


@pytest.mark.parametrize(
    ("goal", "figures", "line"),
    [
        ("fastest top1>=0.81", {"accuracy": {"top1": 0.8096}}, "int8 is out: top-1 is 0.8096."),
        ("fastest latency_ms<=33.3", {"latency_ms": {"mean": 33.304}}, "int8 is out: latency is 33.304 ms."),
        ("fastest memory_mb<=1024", {"memory_mb": {"process_peak": 1024.2}}, "int8 is out: memory is 1024.2 MB."),
        ("fastest power_w<=12", {"power_w": {"peak": 12.004}}, "int8 is out: power is 12.004 W."),
        ("fastest energy_j<=0.005", {"energy_j_per_inference": {"net": 0.0050001}}, "int8 is out: energy is 5.0001 mJ."),
    ],
)
def test_a_figure_that_hardly_misses_its_limit_is_told_so_that_it_shows(make, goal, figures, line):
    assert line in compare([nearly(make(), "candidate", **figures)], goal).advice


def test_a_size_hardly_too_large_shows_that_it_is(make):
    run = make()
    run = msgspec.structs.replace(run, candidate=msgspec.structs.replace(run.candidate, size_bytes=300_100))
    assert "int8 is out: size is 300.1 kB." in compare([run], "fastest size_mb<=0.3").advice


def test_a_limit_is_told_with_the_digits_that_were_typed(make):
    found = compare([make()], "fastest latency_ms<=33.25 memory_mb<=1024 size_mb<=0.5 energy_j<=0.0055")
    said = "Goal: fastest with latency ≤ 33.25 ms and memory ≤ 1024 MB and size ≤ 500 kB and energy ≤ 5.50 mJ and at most"
    assert found.advice[0].startswith(said)


def test_what_is_hardly_too_much_of_a_loss_shows_that_it_is(make):
    assert "int8 is out: it loses 1.001 points of top-1." in compare([make(points=-0.01001)]).advice
    far = compare([make(points=None, cosine=0.94998)]).advice
    assert any("(cosine 0.94998)" in line for line in far)


def test_limits_that_none_keeps_name_the_nearest_and_choose_none(make):
    runs = [heavy(make(), 90, 80), heavy(make("fp16", 0.6), 90, 60)]
    found = compare(runs, "fastest memory_mb<=50 latency_ms<=1.2")
    assert found.choice == ""
    assert "No column keeps the limits; nearest is fp16: memory is 60 MB and latency is 1.46 ms." in found.advice


def test_a_figure_that_is_not_known_keeps_no_limit(make):
    found = compare([heavy(make(), None, None)], "fastest memory_mb<=50")
    assert found.choice == ""
    assert "int8 is out: its memory is not known." in found.advice
    assert "nearest" not in " ".join(found.advice)


def test_where_the_baseline_keeps_no_limit_one_that_is_not_faster_may_do(make):
    run = heavy(make("fp16", 1.0, "no difference shown"), 90, 40)
    assert compare([run], "fastest").choice == "FP32"
    found = compare([run], "fastest memory_mb<=50")
    assert found.choice == "fp16"
    assert any("though it is not shown to be faster: FP32 does not keep the limits" in line for line in found.advice)


def test_a_limit_inside_the_interval_is_kept_by_the_figure_alone_and_that_is_said(make):
    barely, well = (f"fastest latency_ms<={limit}" for limit in (1.11, 1.5))
    said = "Its latency keeps the limit of 1.11 ms by its figure alone: 95 % interval 1.08 ms to 1.12 ms."
    assert said in compare([make()], barely).advice
    assert "by its figure alone" not in " ".join(compare([make()], well).advice)
    hardly = nearly(make(), "candidate", latency_ms={"mean": 1.1, "half_width": 0.0203})
    assert "95 % interval 1.08 ms to 1.1203 ms." in " ".join(compare([hardly], "fastest latency_ms<=1.12").advice)


def test_what_may_be_lost_is_asked_beside_a_limit_of_another_figure(make):
    runs = [heavy(make("student", 0.33, points=-0.042, p=0.0001), 90, 40)]
    assert compare(runs, "fastest memory_mb<=100").choice == "FP32"
    assert compare(runs, "fastest memory_mb<=100 top1>=0.7").choice == "student"
    assert compare(runs, "fastest top1>=0.7 drop<=0.01").choice == "FP32"


@pytest.mark.parametrize(
    ("ratio", "word", "choice", "line"),
    [
        (Ratio(value=0.5, low=0.4, high=0.6), "thriftier", "int8", "Take int8: 2.2 times faster, 50 % less energy"),
        (Ratio(value=0.9, low=0.7, high=1.2), "no difference shown", "FP32", "int8 is not shown to take less energy."),
        (Ratio(value=1.5, low=1.4, high=1.6), "hungrier", "FP32", "int8 is hungrier than FP32."),
        (None, "", "", "What decides it, energy, was not measured in these runs (no power was measured)."),
    ],
)
def test_least_energy_goes_by_joules_that_are_shown(make, ratio, word, choice, line):
    found = compare([fed(make(), ratio, word)], "least-energy")
    assert found.choice == choice
    assert any(line in each for each in found.advice)


def test_joules_that_are_not_shown_to_differ_are_no_boast(make):
    run = fed(make(), Ratio(value=0.89, low=0.79, high=1.005), "no difference shown")
    sentence = verdict_sentence(run)
    assert "less energy" not in sentence
    assert "not shown to differ in energy" in sentence
    shown = fed(make(), Ratio(value=0.89, low=0.79, high=0.99), "thriftier")
    assert "11 % less energy an inference" in verdict_sentence(shown)


def test_joules_have_a_limit_too(make):
    run = fed(make(), Ratio(value=0.5, low=0.4, high=0.6), "thriftier")
    assert compare([run], "least-energy energy_j<=0.0015").choice == "int8"
    assert compare([run], "least-energy energy_j<=0.0005").choice == ""
