"""Joules of whole runs on laid-out boards, by every kind of source, beside what was true; and sensors that lie or fail."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from colour_detector import colour_detector, scenery
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema import events
from moved_rails import IDLE_W
from powered_boards import DEMO, PoweredBoard, Truth

LONG, RARE = pytest.mark.long, pytest.mark.rare
DATA = ("--dataset", str(DEMO / "digits.toml"))


@pytest.fixture
def shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of a second, two rounds: figures mean little, and what they are made of is all there."""
    monkeypatch.setenv("EDGETUI_MEASURE_S", "1")


def energy(document: dict, side: str = "baseline") -> dict:
    return document[side]["energy_j_per_inference"]


def assert_near(found: dict[str, Any], true: Truth) -> None:
    """Within the interval, or a twentieth: one interval in twenty misses by a little (`make bench-energy` counts them)."""
    assert abs(found["gross"] - true.gross) <= max(found["gross_half_width"], 0.05 * true.gross)
    assert abs(found["net"] - true.net) <= max(1.5 * found["net_half_width"], 0.05 * true.net)


@pytest.mark.parametrize(
    ("source", "kind", "scope", "method", "rate_hz"),
    [
        pytest.param("rails", "", "module", "trapezoid", 20, marks=RARE),  # as in the other tests here
        pytest.param("rapl", "", "package", "counter", 20, marks=LONG),
        pytest.param("tegrastats", "", "module", "trapezoid", 10, marks=LONG),
        pytest.param("jtop", "", "module", "trapezoid", 2, marks=RARE),  # as slow as "slow" below
        pytest.param("nvml", "driver", "gpu", "counter", 20, marks=LONG),
    ],
)
def test_every_source_gives_joules_near_the_true_ones(
    source: str, kind: str, scope: str, method: str, rate_hz: float, tmp_path: Path, shortly: None
) -> None:
    with PoweredBoard(tmp_path, source, kind) as board:
        document = board.run(*DATA)
        true = board.truth(document["run"])
    for side in ("baseline", "candidate"):
        found = energy(document, side)
        assert (found["scope"], found["method"]) == (scope, method)
        assert found["rate_hz"] == pytest.approx(rate_hz, rel=0.15)
        assert_near(found, true[side])
        assert found["for_images"]["joules"] == pytest.approx(18_000 * found["gross"])
    ratio = document["difference"]["energy_ratio"]
    if ratio["low"] is None:  # two rounds may leave it open
        assert document["reasons"]["difference.energy_ratio.low"]
    else:
        assert 0.95 * ratio["low"] <= true["candidate"].net / true["baseline"].net <= 1.05 * ratio["high"]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        pytest.param("frozen", "all the time, whether a plan ran or not", marks=LONG),
        pytest.param("negative", "readings of less than 0 W passed over", marks=RARE),
        pytest.param("ones", "readings of 65535 mW", marks=LONG),
    ],
)
def test_a_sensor_that_lies_gives_the_reason_and_no_figure(kind: str, why: str, tmp_path: Path, shortly: None) -> None:
    with PoweredBoard(tmp_path, "rails", kind) as board:
        document = board.run(*DATA)
    assert energy(document)["gross"] is None
    assert why in document["reasons"]["baseline.energy_j_per_inference.gross"]
    assert "energy" not in document["verdict"] or document["verdict"]["energy"] is None
    assert not [stage["name"] for stage in document["stages"] if stage["energy_j"] is not None and stage["energy_j"] < 0]


@LONG
def test_a_board_whose_power_does_not_follow_the_load_shows_no_difference(tmp_path: Path, shortly: None) -> None:
    with PoweredBoard(tmp_path, "rails", "deaf") as board:
        document = board.run(*DATA)
    assert document["difference"]["energy_ratio"]["value"] is None
    assert "above idle" in document["reasons"]["difference.energy_ratio.value"]
    assert document["verdict"].get("energy") in (None, "no difference shown")


def set_clocks(board: PoweredBoard, khz: int) -> None:
    for core in range(os.cpu_count() or 1):
        place = board.path(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{khz:9d}\n")


def slow_for_a_while(board: PoweredBoard, stage: str, ended: threading.Event) -> None:
    """Lower the clocks for two seconds, two seconds into the first window of a stage."""

    def begun() -> bool:
        said = [event for run in (board.home / "runs").glob("*") for event in RunDir(run).events()]
        return any(isinstance(event, events.MeasuredWindow) and event.stage == stage for event in said)

    while not ended.wait(0.05):
        if begun():
            time.sleep(2.0)
            set_clocks(board, 1_000_000)
            time.sleep(2.0)
            set_clocks(board, 1_510_000)
            return


@pytest.mark.parametrize(
    ("stage", "figure"),
    [pytest.param("measure", "latency_ms", marks=RARE), pytest.param("energy", "energy_j_per_inference", marks=LONG)],
)
def test_what_is_measured_while_a_clock_has_fallen_is_measured_again(
    stage: str, figure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGETUI_MEASURE_S", "3")
    board, ended = PoweredBoard(tmp_path), threading.Event()
    board.path("/sys/devices/system/cpu").mkdir(parents=True)
    board.path("/sys/devices/system/cpu/present").write_text(f"0-{(os.cpu_count() or 1) - 1}\n")
    set_clocks(board, 1_510_000)
    slowing = threading.Thread(target=slow_for_a_while, args=(board, stage, ended))
    with board:
        slowing.start()
        document = board.run(*DATA)
        ended.set()
    slowing.join()
    said = [event for event in RunDir(board.home / "runs" / document["run"]).events() if isinstance(event, events.Note)]
    assert [note.text for note in said if note.stage == stage and "clock 34 % below its start" in note.text]
    assert document["baseline"][figure]["throttled"] == document["candidate"][figure]["throttled"] == 0


@RARE
def test_a_frame_at_ten_a_second_has_its_idle_power_in_it(tmp_path: Path, shortly: None) -> None:
    with PoweredBoard(tmp_path) as board:
        document = board.run(*DATA, "--workload", "paced:10")
        true = board.truth(document["run"])
    for side in ("baseline", "candidate"):
        found = energy(document, side)
        assert found["gross"] == pytest.approx(true[side].gross, rel=0.03)
        assert IDLE_W / 10 < found["gross"] < 1.5 * IDLE_W / 10
        assert found["net"] < found["gross"] / 3  # what a busy machine takes longer for is in it
        images = found["for_images"]
        assert images["joules"] == pytest.approx(18_000 * found["gross"])
        assert images["measured_s"] == pytest.approx(found["windows"] * 1.0, abs=0.25 * found["windows"])


@LONG
def test_the_same_plan_twice_shows_no_difference(tmp_path: Path) -> None:
    recipe = tmp_path / "nothing.toml"
    recipe.write_text('title = "Changes nothing"\n\n[[step]]\nmethod = "prune.magnitude"\nthreshold = 1e-30\n')
    (tmp_path / "laid").mkdir()
    with PoweredBoard(tmp_path / "laid") as board:
        document = board.run(*DATA, recipe=str(recipe))
        true = board.truth(document["run"])
    assert document["verdict"].get("energy") == "no difference shown"
    for side in ("baseline", "candidate"):
        found = energy(document, side)
        assert_near(found, true[side])


@pytest.mark.parametrize(
    ("workload", "per", "rate_hz"),
    [pytest.param("paced:30", "inference", 30, marks=RARE), pytest.param("cycle", "frame", 30, marks=LONG)],
)
def test_joules_at_a_beat_have_the_waits_in_them(
    workload: str, per: str, rate_hz: float, tmp_path: Path, shortly: None
) -> None:
    data = scenery(tmp_path / "set", 20)
    model = colour_detector(tmp_path / "squares.onnx")
    with PoweredBoard(tmp_path / "board", "rails") as board:
        document = board.run("--dataset", str(data), "--workload", workload, model=model)
        true, raw = board.truth(document["run"]), board.windows(document["run"])
    for side in ("baseline", "candidate"):
        found = energy(document, side)
        assert found["per"] == per
        assert found["gross"] == pytest.approx(true[side].gross, rel=0.05)
        seconds = (raw[f"{side}_end_s"] - raw[f"{side}_begin_s"]).sum()
        assert raw[f"{side}_inferences"].sum() <= rate_hz * seconds + len(raw[f"{side}_end_s"])
        assert found["gross"] >= document[side]["power_w"]["mean"] / rate_hz * 0.99


FAILS = (
    "fell silent",
    "no sensor here tells the power",
    "repeated one value",
    "time was up",
    "said nothing",
    "of the window only",
)


@pytest.mark.parametrize("kind", ["slow", pytest.param("repeats", marks=RARE), "stalls", pytest.param("goes", marks=RARE)])
@LONG
def test_a_sensor_that_fails_has_an_honest_interval_or_the_reason(kind: str, tmp_path: Path, shortly: None) -> None:
    """2 Hz, each value four times, silent for 3 s of 12, gone after 25 s."""
    with PoweredBoard(tmp_path, "rails", kind) as board:
        document = board.run(*DATA)
        for side in ("baseline", "candidate"):
            found = energy(document, side)
            if found["gross"] is None:
                why = document["reasons"][f"{side}.energy_j_per_inference.gross"]
                assert kind in ("stalls", "goes"), why
                assert any(word in why for word in FAILS), why
                continue
            true = board.truth(document["run"])[side]
            assert_near(found, true)
