"""A goal that nothing here can be measured for is refused before anything is done for it."""

from __future__ import annotations

import pytest
from edgetui.engine.advice.goals import parse_goal
from edgetui.engine.advice.measurable import refuse_unmeasurable_goal
from edgetui.engine.advice.metrics import LIMITED
from edgetui.engine.errors import UsageError
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.schema.workloads import Paced

CLASSES = Dataset(kind="npz", path="/digits.npz")
BOXES = Dataset(kind="detection", path="/cells", task="detection")
SPEC = RunSpec(model="/m.onnx", recipe=Recipe(), dataset=CLASSES)
PACED = RunSpec(model="/m.onnx", recipe=Recipe(), dataset=CLASSES, workload=Paced(rate_hz=30))
TRT = RunSpec(model="/m.onnx", recipe=Recipe(), dataset=BOXES, backend=BackendSettings(name="tensorrt"))


@pytest.mark.parametrize(
    ("goal", "spec", "why"),
    [
        ("least-energy", SPEC, "no sensor here tells the power, so that least-energy"),
        ("fastest power_w<=5", SPEC, "no sensor here tells the power, so that power_w"),
        ("fastest energy_j<=0.01", SPEC, "no sensor here tells the power, so that energy_j"),
        ("fastest device_ms<=5", SPEC, "everything on the CPU here, so that device_ms"),
        ("smallest plan_memory_mb<=100", SPEC, "everything on the CPU here, so that plan_memory_mb"),
        ("fastest map50>=0.5", SPEC, r"map50 is of labels for detection, and /digits\.npz is for classification"),
        ("fastest top1>=0.5", TRT, "top1 is of labels for classification or text-classification"),
        ("fastest missed_deadlines<=0.01", SPEC, "of the workload paced, and flat-out is measured"),
        ("fastest frame_ms<=30", PACED, "of the workload cycle or pipeline, and paced is measured"),
        ("fastest per_input_ms<=3", SPEC, "timed one by one"),
    ],
)
def test_what_stays_unknown_is_refused(goal: str, spec: RunSpec, why: str):
    with pytest.raises(UsageError, match=why):
        refuse_unmeasurable_goal(parse_goal(goal), spec, has_power=False)


@pytest.mark.parametrize(
    ("goal", "spec", "has_power"),
    [
        ("", SPEC, False),
        ("fastest drop<=0.01 top1>=0.8 memory_mb<=100 fps>=30 p99_ms<=5 gzip_mb<=1", SPEC, False),
        ("least-energy power_w<=5 energy_j<=0.1", SPEC, True),
        ("fastest map50>=0.5 device_ms<=5 plan_memory_mb<=50", TRT, False),
        ("fastest missed_deadlines<=0", PACED, False),
        ("fastest same_class>=0.9", SPEC, False),
    ],
)
def test_what_can_be_known_is_not(goal: str, spec: RunSpec, has_power: bool):
    refuse_unmeasurable_goal(parse_goal(goal), spec, has_power=has_power)


def test_every_figure_of_labels_says_whose():
    """A new one would else be searched for where no label tells it."""
    of_labels = [metric for metric in LIMITED.values() if metric.path.startswith("accuracy.") and metric.nearness is None]
    assert len(of_labels) > 8
    assert [metric.key for metric in of_labels if not metric.tasks] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fastest smallest", "fastest and smallest are 2 aims"),
        ("fastest size_mb<=1 size_mb<=2", "size_mb is limited twice, to 1 and to 2"),
        ("fastest drop<=0.01, drop<=0.02", r"drop is limited twice, to 0\.01 and to 0\.02"),
        ("fastest latency_ms<=0", "kept by nothing"),
    ],
)
def test_a_goal_that_contradicts_itself_is_none(text: str, why: str):
    with pytest.raises(UsageError, match=why):
        parse_goal(text)


def test_an_aim_that_is_said_twice_is_one():
    assert parse_goal("smallest smallest").aim == "smallest"
    assert parse_goal("fastest missed_deadlines<=0").limits[0].value == 0
