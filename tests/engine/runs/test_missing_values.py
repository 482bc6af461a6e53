"""Reasons of what no stage has said a word about."""

from __future__ import annotations

import msgspec
from edgetui.engine.runs.missing_values import why_unknown
from edgetui.engine.schema.figures import Difference, Ratio
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import Recipe

SPEC = RunSpec(model="a.onnx", recipe=Recipe(name="none", step=()))


def reasons(ratio: Ratio | None) -> dict[str, str]:
    stages = [{"name": "measure", "seconds": 1.0}]
    result = msgspec.convert({"run": "a", "state": "done", "recipe": {"name": "none"}, "stages": stages}, Result)
    return why_unknown(msgspec.structs.replace(result, difference=Difference(latency_ratio=ratio)), SPEC)


def test_a_ratio_without_its_interval_was_measured_in_too_few_rounds() -> None:
    found = reasons(Ratio(value=0.5, interleaved=True))
    assert {found[f"difference.latency_ratio.{bound}"] for bound in ("low", "high")} == {
        "it was measured in too few rounds for an interval that says anything"
    }


def test_a_ratio_that_was_not_measured_has_other_reasons() -> None:
    assert "too few rounds" not in " ".join(reasons(Ratio()).values())
