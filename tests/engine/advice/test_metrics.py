"""The table of metrics: each row is of a figure that a result has, and of a line of the book."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from edgetui.engine.advice.columns import Column
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.goals import parse_goal
from edgetui.engine.advice.metrics import AIMS, COSTS, METRICS, QUALITIES, changes, final_columns, listed, metric_of
from edgetui.engine.advice.pareto import point
from edgetui.engine.advice.verdict import BETTER, WORSE
from edgetui.engine.runs.missing_values import why_unknown
from edgetui.engine.schema.figures import IMAGES, Difference, Energy, ForImages, MemoryMb, Metrics, Ratio
from edgetui.engine.schema.result import Result, StageFigures
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import Recipe

DOCS = Path(__file__).resolve().parents[3] / "docs"
BOOK = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("verdict.md", "workloads.md"))
EMPTY = Column("int8", Metrics(), Result(run="r", state="done"), candidate=True)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_a_row_is_of_a_figure_that_a_result_has(metric):
    assert metric.value(EMPTY) is None
    assert metric.figure(EMPTY) == "–"
    assert metric.place(EMPTY) is None


def field_type(path: str, of: type) -> str:
    """What the field at the end of a path is declared as."""
    names = path.split(".")
    for name in names[:-1]:
        of = next(field.type for field in msgspec.structs.fields(of) if field.name == name)
        of = next(iter(get_args(of)), of)  # a part that not every workload has
    return str(next(field.type for field in msgspec.structs.fields(of) if field.name == names[-1]))


@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric.path], ids=lambda metric: metric.key)
def test_what_has_no_cell_of_its_own_is_a_number(metric):
    """A word would be a dash in every table, without a sound."""
    declared = field_type(metric.path, Result if metric.compared else Metrics)
    assert metric.cell is not None or {"int", "float"} & set(re.findall(r"\w+", declared))


def test_details_follow_the_figure_that_they_belong_to():
    tabled = [metric for metric in METRICS if metric.label]
    heads = {
        metric.key: next(m.key for m in reversed(tabled[: place + 1]) if not m.detail) for place, metric in enumerate(tabled)
    }
    assert {metric.key: heads[metric.key] for metric in tabled if metric.coloured_by} == {
        metric.key: metric.coloured_by for metric in tabled if metric.coloured_by
    }


def test_the_book_has_every_figure():
    assert [metric.path for metric in METRICS if metric.path and f"`{metric.path}`" not in BOOK] == []


def test_keys_are_there_once():
    keys = [metric.key for metric in METRICS]
    axes = [metric.axis.key for metric in (*COSTS, *QUALITIES)]
    assert (len(set(keys)), len(set(axes))) == (len(keys), len(axes))


def test_every_difference_is_a_field_and_has_words():
    known = {field.name for field in msgspec.structs.fields(Difference)}
    told = [field for _, change in changes() for field in (change.field, *change.tests)]
    assert set(told) == known
    for metric, _ in changes():
        assert {metric.best()} <= BETTER
        assert {metric.worst()} <= WORSE
    assert not BETTER & WORSE


def test_what_a_goal_asks_for_has_a_verdict_and_an_axis_of_cost():
    for word, metric in AIMS.items():
        assert parse_goal(word).aim == word
        assert metric.change is not None
        assert metric in COSTS


def test_a_point_has_a_place_on_every_axis(make):
    run = make()
    places = point(Column("int8", run.candidate, run, candidate=True))
    assert places.at(COSTS[0]) == run.candidate.latency_ms.mean
    assert {metric.axis.key for metric in (*COSTS, *QUALITIES)} <= set(msgspec.to_builtins(places))
    baseline = point(Column("FP32", run.baseline, run, candidate=False))
    labelled, near = [[each for each in QUALITIES if bool(each.nearness) == by] for by in (False, True)]
    assert [baseline.at(metric) for metric in labelled] == [0.81] + [None] * (len(labelled) - 1)
    assert {baseline.at(metric) for metric in near} == {1.0}


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("candidate.latency_ms.mean", "latency"),
        ("baseline.latency_ms.iqr", "latency"),
        ("candidate.latency_ms.missed_deadlines", "missed"),
        ("candidate.memory_mb.plan", "plan_memory"),
        ("candidate.memory_mb.system_drop", "memory_drop"),
        ("candidate.memory_mb.process_peak", "memory"),
        ("candidate.accuracy.n", "accuracy"),
        ("candidate.accuracy.top1_low", "accuracy"),
        ("candidate.accuracy.map50_low", "map50"),
        ("candidate.accuracy.map50_95_high", "map"),
        ("candidate.accuracy.boxes", "boxes"),
        ("difference.map50_points.low", "map"),
        ("fidelity.detections_map50", "detections_map50"),
        ("candidate.power_w.idle", "power"),
        ("candidate.energy_j_per_inference.gross", "energy"),
        ("stages.2.energy_j", "energy"),
        ("difference.latency_ratio.low", "latency"),
        ("difference.mcnemar_p", "accuracy"),
        ("fidelity.cosine", "cosine"),
    ],
)
def test_a_missing_figure_finds_the_metric_that_knows_why(path, key):
    assert metric_of(path).key == key


@pytest.mark.parametrize(
    "path", ["stages.2.seconds", "board.fan_rpm", "model", "fidelity.score_matched", "candidate.plan_bytes"]
)
def test_what_is_no_metrics_figure_has_none(path):
    assert metric_of(path) is None


def test_columns_of_the_final_table_have_room_for_their_heads():
    assert [column.head for _, column in final_columns() if len(column.head) >= column.width] == []


def test_joules_with_idle_power_and_for_many_images_say_what_they_are_scaled_from(make):
    images = ForImages(n=IMAGES, joules=54.2, low=50.1, high=58.3, measured_s=10.2)
    energy = Energy(gross=3.011e-3, gross_half_width=2.3e-4, net=9e-4, for_images=images)
    run = make()
    told = msgspec.structs.replace(run, candidate=msgspec.structs.replace(run.candidate, energy_j_per_inference=energy))
    cells = {row.label: row.cells for row in compare([told]).rows}
    assert cells["with idle power"][1] == "3.01 mJ ± 0.23"
    assert cells["with idle, 18 000 images"] == ("–", "54.2 J ± 4.1 of 10 s")
    assert "with idle, 18 000 images" not in {row.label for row in compare([run]).rows}


@pytest.mark.parametrize("drop", [0.0, None])
def test_memory_that_the_system_did_not_lose_is_a_dash_with_its_reason(make, drop):
    """0 MB stood there of a plan that took 80, while others freed as much."""
    run = make()
    side = msgspec.structs.replace(run.candidate, memory_mb=MemoryMb(process_peak=84.0, system_drop=drop))
    told = msgspec.structs.replace(run, candidate=side, stages=(*run.stages, StageFigures(name="measure")))
    told = msgspec.structs.replace(told, reasons=why_unknown(told, RunSpec(model="/m.onnx", recipe=Recipe())))
    cells = {row.label: row.cells for row in compare([told]).rows}
    assert cells["memory: plan · peak · drop"][1] == "– · 84 · – MB (others freed as much meanwhile)"


def test_a_list_of_runs_has_a_column_of_joules_where_a_sensor_told_some(make):
    told = Difference(energy_ratio=Ratio(value=0.5, low=0.4, high=0.6))
    joules = next(column for column in listed() if column.column.head == "energy")
    assert joules.wanted([Difference(), told])
    assert not joules.wanted([Difference()])
    assert joules.text(told) == "0.500"
    assert all(column.wanted([]) for column in listed() if column.column.head != "energy")
