"""Runs whose baselines are not one measurement: whose has the column is said, and what each ratio is over stands above it."""

from __future__ import annotations

import json

import msgspec
import pytest
from edgetui.engine.advice.compare import Comparison, compare
from edgetui.engine.report.markdown import table
from edgetui.engine.report.text import comparison_report
from edgetui.engine.schema.figures import Energy, Ratio
from edgetui.engine.schema.result import Result
from msgspec.structs import replace

OWN, OVER = "its run's FP32", "ratio to its FP32"


def slower(result: Result, ms: float) -> Result:
    """Its baseline took so long when it was measured; the ratio is of that."""
    latency = replace(result.baseline.latency_ms, mean=ms, half_width=0.01)
    return replace(result, run=f"{result.run}-later", baseline=replace(result.baseline, latency_ms=latency))


def row(found: Comparison, label: str) -> list[tuple[str, ...]]:
    return [each.cells for each in found.rows if each.label == label]


def test_the_column_is_headed_by_its_run_and_each_ratio_has_its_own_baseline(make):
    found = compare([make(), slower(make("prune-50", 0.7, toml=""), 3.5)])
    assert found.columns == ("FP32 of int8", "int8", "prune-50")
    assert row(found, OWN) == [("", "2.44 ms ± 0.05", "3.50 ms ± 0.01")]
    assert [cells[2] for cells in row(found, OVER)] == ["0.700 [0.694, 0.706] faster"]
    labels = [each.label for each in found.rows]
    assert labels.index(OVER) == labels.index(OWN) + 1
    assert "ratio to FP32" not in labels
    assert found.points[0].label == "FP32 of int8"


@pytest.mark.parametrize("width", [72, 160])
def test_every_form_says_so(make, width):
    found = compare([make(), slower(make("prune-50", 0.7), 3.5)])
    told = json.loads(msgspec.json.encode(found))
    assert told["columns"][0] == "FP32 of int8"
    assert {"label": OWN, "cells": ["", "2.44 ms ± 0.05", "3.50 ms ± 0.01"]}.items() <= told["rows"][1].items()
    for text in (comparison_report(found, width), table(found)):
        assert text.count("FP32 of int8") >= 1
        assert all(words in text for words in (OWN, "3.50 ms ± 0.01"))


def test_runs_with_one_baseline_are_as_they_were(make):
    for runs in ([make()], [make(), make("prune-50", 0.7)]):
        found = compare(runs)
        assert found.columns[0] == "FP32"
        assert (row(found, OWN), row(found, OVER)) == ([], [])
        assert len(row(found, "ratio to FP32")) == 1


def test_a_run_that_measured_no_baseline_is_not_apart(make):
    bare = make("prune-50", 0.7)
    bare = replace(bare, baseline=replace(bare.baseline, latency_ms=replace(bare.baseline.latency_ms, mean=None), fps=None))
    assert compare([bare, make()]).columns[0] == "FP32"


def test_of_twins_the_head_names_the_column(make):
    first = make()
    first = replace(first, run="first", baseline=replace(first.baseline, accuracy=type(first.baseline.accuracy)()))
    found = compare([first, slower(make(), 3.5)])
    assert found.columns == ("FP32 of int8 #2", "int8", "int8 #2")
    assert row(found, "run") == [("20261120-1401", "first", "20261120-1401")]
    assert row(found, "latency, mean")[0][0] == row(found, OWN)[0][2] == "3.50 ms ± 0.01"
    assert found.runs == ("", "first", found.made[1])
    assert found.measured == (found.made[1], "first", found.made[1])


def test_groups_keep_their_names_and_say_whose_it_is_where_it_is_one_of_several(make):
    runs = [make(), slower(make("prune-50", 0.7), 3.5), make(model="vgg")]
    assert compare(runs).columns == ("FP32 resnet20 of int8", "int8", "prune-50", "FP32 vgg", "int8 #2")


def test_energy_has_its_own_row(make):
    def with_energy(result: Result, before: float) -> Result:
        sides = {
            side: replace(getattr(result, side), energy_j_per_inference=Energy(net=joules))
            for side, joules in (("baseline", before), ("candidate", before / 2))
        }
        return replace(result, **sides, difference=replace(result.difference, energy_ratio=Ratio(value=0.5, low=0.4, high=0.6)))

    found = compare([with_energy(make(), 0.2), with_energy(make("prune-50", 0.7), 0.3)])
    assert found.columns[0] == "FP32 of int8"
    assert row(found, OWN) == [("", "200 mJ", "300 mJ")]
    assert (len(row(found, OVER)), len(row(found, "ratio to FP32"))) == (1, 1), "latencies are one measurement"


def test_the_original_is_kept_whoever_measured_it(make):
    runs = [make("prune-50", 0.97, "no difference shown"), slower(make("both", 0.98, "no difference shown"), 3.5)]
    found = compare(runs)
    assert found.choice == found.columns[0] == "FP32 of prune-50"
    assert found.advice[1].startswith("Keep FP32: no candidate")
