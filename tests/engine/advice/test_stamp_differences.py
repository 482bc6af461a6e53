"""Results that were made in different states are not laid beside each other without a word; the same state says nothing."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.stamp_differences import STAMP_ROWS, stamp_differences
from edgetui.engine.report.evidence import evidence
from edgetui.engine.report.markdown import markdown
from edgetui.engine.report.text import comparison_report
from edgetui.engine.schema.stamps import BackendStamp, BoardStamp

BOARD = BoardStamp(
    name="Jetson Orin Nano 8GB",
    os="Jetson Linux 36.4.3",
    kernel="5.15",
    memory_free_mb=5200.0,
    power_mode="15W",
    clocks="floating",
    governor="schedutil",
    emc_mhz=2133.0,
    fan_rpm=1500.0,
    temps_c={"cpu-thermal": 48.0, "cv0-thermal": None},
    busy=("dockerd",),
    wall="2026-11-30T12:00:00+00:00",
)
BACKEND = BackendStamp(name="tensorrt", version="10.3.0", threads=4)
OTHERS = {
    "board": {"name": "Jetson Nano"},
    "operating system": {"os": "Jetson Linux 36.4.4"},
    "kernel": {"kernel": "5.15.148"},
    "power mode": {"power_mode": "25W"},
    "clocks": {"clocks": "locked"},
    "governor": {"governor": "performance"},
    "memory clock": {"emc_mhz": 3199.0},
    "fan": {"fan_rpm": 3200.0},
    "hottest zone": {"temps_c": {"cpu-thermal": 48.0, "gpu-thermal": 71.0}},
    "free memory": {"memory_free_mb": 900.0},
    "busy processes": {"busy": ("dockerd", "Xorg")},
    "backend": {"version": "10.4.0"},
    "threads": {"threads": 6},
    "the original's own median latency": {"p50": 30.0},
}
NEAR = {"p50": 10.4, "fan_rpm": 1620.0, "emc_mhz": 2133.5, "memory_free_mb": 5000.0, "temps_c": {"cpu-thermal": 55.0}}


@pytest.fixture
def stamped(make):
    def build(recipe: str = "int8", /, **changed: object):
        on_backend = {key: value for key, value in changed.items() if key in ("version", "threads")}
        on_board = {key: value for key, value in changed.items() if key not in (*on_backend, "p50")}
        board, backend = msgspec.structs.replace(BOARD, **on_board), msgspec.structs.replace(BACKEND, **on_backend)
        result = make(recipe)
        p50 = changed.get("p50", 10.0)
        timed = msgspec.structs.replace(result.baseline.latency_ms, p50=p50)
        baseline = msgspec.structs.replace(result.baseline, latency_ms=timed)
        return msgspec.structs.replace(result, board=board, backend=backend, baseline=baseline)

    return build


def test_the_same_stamp_twice_says_nothing(stamped):
    found = compare([stamped(), stamped("fp16")])
    assert (found.stamps, found.warnings) == ((), ())
    assert "!" not in comparison_report(found, 120)


def test_what_is_near_says_nothing(stamped):
    assert stamp_differences([stamped(), stamped("fp16", **NEAR)]) == ()


def test_every_row_has_a_case():
    assert [row.word for row in STAMP_ROWS] == list(OTHERS)


@pytest.mark.parametrize(("word", "changed"), OTHERS.items())
def test_each_difference_is_named_with_what_each_run_has(stamped, word, changed):
    found = compare([stamped(), stamped("fp16", **changed)])
    assert [each.what for each in found.stamps] == [word]
    assert len(set(found.stamps[0].values)) == 2
    (said,) = found.warnings
    assert f"{word} ({'; '.join(found.stamps[0].values)})" in said
    assert said.split()[0] in comparison_report(found, 120)
    assert f"- warning: {said}" in markdown(evidence([stamped(), stamped("fp16", **changed)]))


def test_what_a_stamp_does_not_say_differs_from_nothing(stamped):
    unknown = stamped("fp16", emc_mhz=None, fan_rpm=None, power_mode=None, busy=(), wall="", temps_c={}, kernel="")
    assert stamp_differences([stamped(), unknown]) == ()


def test_another_pace_of_the_machine_is_said_to_change_ratios_too(stamped):
    (said,) = compare([stamped(), stamped("fp16", p50=14.0)]).warnings
    assert "(10.0 ms; 14.0 ms)" in said
    assert said.endswith("ratios are others as well.")


def test_at_another_pace_of_the_machine_there_is_no_front_over_latency(stamped):
    runs = [stamped(), stamped("fp16", p50=14.0)]
    assert not any(point.front for point in compare(runs).points)
    assert any(point.front for point in compare(runs, front_over="size_mb,memory_mb").points)
    assert any(point.front for point in compare([stamped(), stamped("fp16")]).points)


def test_the_latency_of_another_original_is_no_other_pace(stamped):
    other = stamped("fp16", p50=30.0)
    other = msgspec.structs.replace(other, model=msgspec.structs.replace(other.model, sha256="another"))
    assert stamp_differences([stamped(), other]) == ()


def test_three_runs_have_a_value_each(stamped):
    (found,) = stamp_differences([stamped(), stamped(emc_mhz=None), stamped(emc_mhz=204.0)])
    assert found.values == ("2133 MHz", "", "204 MHz")


def test_one_run_is_made_in_one_state(stamped):
    assert compare([stamped()]).warnings == ()
