"""A metric takes four files: those of CONTRIBUTING.md, in a copy of the package that knows nothing else of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from newcomer import Scratch

SCREEN = """
import sys
import msgspec
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.pareto import known_costs
from edgetui.engine.schema.result import Result
from edgetui.tui.panes.run_rows import result_rows, verdict_lines
from edgetui.engine.advice.run_fields import NUMBERS
from edgetui.tui.screens.run_columns import ORDER

result = msgspec.json.decode(sys.argv[1], type=Result)
costs = known_costs(compare([result]).points)
print("axes", *(metric.axis.unit for metric in costs if metric.axis), sep="|")
print("list", *(column.head for column in ORDER), *NUMBERS, sep="|")
for line in (*verdict_lines(result, 400), *result_rows(result, 200)):
    print("".join(text for text, _ in line))
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    return Scratch(tmp_path_factory.mktemp("newcomer"), "Add a metric")


@pytest.fixture(scope="module")
def result(scratch: Scratch) -> dict[str, Any]:
    demo = scratch.package / "profiles" / "demo"
    argv = ("run", str(demo / "digits.onnx"), "--recipe", "int8", "--dataset", str(demo / "digits.toml"))
    return json.loads(scratch.edgetui(*argv, "--preset", "quick", "--json"))


def test_the_fields_the_measurement_and_the_row_are_all(scratch: Scratch) -> None:
    assert set(scratch.files) == {"engine/schema/figures.py", "engine/work/stages/measure.py", "engine/advice/metrics.py"}


@pytest.mark.long
def test_a_result_has_its_figures_and_its_verdict(result: dict[str, Any]) -> None:
    before, after = (result[side]["tail_ms"] for side in ("baseline", "candidate"))
    assert before >= result["baseline"]["latency_ms"]["p90"]
    assert result["difference"]["tail_ratio"] == pytest.approx(after / before)
    assert result["verdict"]["tail"] in ("shorter", "longer", "no difference shown")


@pytest.mark.long
def test_every_report_says_it(scratch: Scratch, result: dict[str, Any]) -> None:
    assert "slowest tenth" in scratch.edgetui("show", result["run"])
    scratch.edgetui("export", result["run"], "--to", str(scratch.folder / "out"))
    assert "slowest tenth |" in (scratch.folder / "out" / "report.md").read_text()
    assert "candidate.tail_ms," in (scratch.folder / "out" / "figures.csv").read_text()
    assert "tail ratio" in scratch.edgetui("runs")


@pytest.mark.long
def test_it_can_be_the_goal_and_an_axis(scratch: Scratch, result: dict[str, Any]) -> None:
    assert "least-tail" in scratch.edgetui("compare", "--help")
    compared = json.loads(scratch.edgetui("compare", result["run"], "--goal", "least-tail drop=1", "--json"))
    assert compared["advice"][0].startswith("Goal: least tail")
    assert compared["choice"] == ("int8" if result["verdict"]["tail"] == "shorter" else "FP32")
    assert [point["tail_ms"] for point in compared["points"]] == [result[s]["tail_ms"] for s in ("baseline", "candidate")]


@pytest.mark.long
def test_the_screen_has_it(scratch: Scratch, result: dict[str, Any]) -> None:
    axes, listed, *rows = scratch.python("-c", SCREEN, json.dumps(result)).splitlines()
    assert "ms, slowest tenth" in axes.split("|")
    assert {"tail ratio", "tail_ratio"} <= set(listed.split("|"))
    assert any("of the slowest tenth's time" in row for row in rows)
    assert any(" tail " in row for row in rows)


@pytest.mark.long
def test_where_no_run_measured_it_the_reason_is_its_rows(scratch: Scratch) -> None:
    reason = """
from edgetui.engine.runs.missing_values import why_unknown
from edgetui.engine.schema.result import Result, StageFigures
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import Recipe

done = Result(run="r", state="done", stages=(StageFigures(name="measure"),))
reasons = why_unknown(done, RunSpec(model="/m.onnx", recipe=Recipe()))
print(reasons["candidate.tail_ms"], reasons["difference.tail_ratio"], sep="\\n")
"""
    assert scratch.python("-c", reason).splitlines() == ["it cannot be seen where every inference is a process of its own"] * 2
