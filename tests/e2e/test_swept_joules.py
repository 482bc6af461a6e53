"""Joules of sweeps, by real processes on a board whose power sensor moves: near the true ones, and the answer by the least."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.config import PACKAGE
from powered_sweeps import PoweredSweepBoard
from swept_boards import Mode

MODEL = str(PACKAGE / "profiles" / "demo" / "digits.onnx")
MODES = (Mode("15W", 612), Mode("25W", 918), Mode("7W", 408, cores=4, cpu_mhz=960))
WATTS = {"15W": 3.0, "25W": 6.0, "7W": 1.5}
"""Of a busy core. The processor here is as fast in every mode, so what a frame takes follows these."""
NEAR = 0.05


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the sensor needs, 20 updates, and no longer."""
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.3")


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param(0.0, marks=pytest.mark.rare, id="steady"),
        pytest.param(0.02, marks=pytest.mark.long, id="idle power rises by 1.2 W a minute"),
    ],
)
def test_rows_have_true_joules_and_the_answer_is_the_least(tmp_path: Path, drift: float) -> None:
    with PoweredSweepBoard(tmp_path / "laid", MODES, WATTS, drift) as board:
        document = board.sweep(MODEL, "--modes", "all", "--batch", "1,8", "--threads", "1", "--want", "power_w<=60")
        true = board.truth(document["sweep"])
    rows = document["rows"]
    assert set(true) == set(range(len(rows)))
    for number, row in enumerate(rows):
        energy = row["energy_j_per_inference"]
        assert energy["low"] <= energy["value"] <= energy["high"]
        assert abs(energy["value"] - true[number]) <= max(NEAR * true[number], (energy["high"] - energy["low"]) / 2)
        assert row["idle_w"] is not None
        assert row["rounds"] >= 3
    taken = rows.index(document["answer"])
    assert true[taken] <= (1 + NEAR) * min(true.values())
    high = document["answer"]["energy_j_per_inference"]["high"]
    dearer = [number for number, row in enumerate(rows) if row["energy_j_per_inference"]["low"] > high]
    assert all(true[number] > true[taken] for number in dearer)
    assert "the least of the 6 rows that reach power_w <= 60" in document["why"]
    assert board.mode == document["first_mode"] == "15W"


@pytest.mark.rare
def test_a_limit_of_power_holds_by_what_the_sensor_says(tmp_path: Path) -> None:
    with PoweredSweepBoard(tmp_path / "laid", MODES, WATTS, 0.0) as board:
        document = board.sweep(MODEL, "--modes", "25W,7W", "--threads", "1", "--rounds", "2")
    rows = {row["mode"]: row for row in document["rows"]}
    between = (rows["7W"]["power_w"] + rows["25W"]["power_w"]) / 2
    answered = board.sweep(document["sweep"], "--want", f"power_w<={between:.2f}")
    taken = {row["mode"]: row for row in answered["rows"]}
    assert taken["25W"]["reaches"] is False
    assert taken["25W"]["reason"] == f"over power_w {between:.2f}".rstrip("0").rstrip(".")
    assert answered["answer"] is None or answered["answer"]["mode"] == "7W"
    least = min(row["power_w"] for row in document["rows"])
    nothing = board.sweep(document["sweep"], "--want", f"power_w<={least / 2:.2f}")
    assert nothing["answer"] is None
    assert nothing["why"].startswith("none reaches power_w <= ")


@pytest.mark.rare
def test_a_sensor_that_freezes_gives_no_joules_and_says_why(tmp_path: Path) -> None:
    with PoweredSweepBoard(tmp_path / "laid", MODES, WATTS, 0.0, "frozen") as board:
        document = board.sweep(MODEL, "--modes", "15W,7W", "--threads", "1", "--rounds", "2")
    for row in document["rows"]:
        assert row["energy_j_per_inference"] is None
        assert row["power_w"] is None
        assert "all the time, whether a plan ran or not" in row["reason"]
    assert "the lowest latency" in document["why"]
    assert "all the time, whether a plan ran or not" in document["no_joules"]
