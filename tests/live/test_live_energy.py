"""Joules of the machine that runs the tests: EDGETUI_LIVE=1 on a board, on one with an NVIDIA card, or as root on an x86."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.client import Telemetry, open_telemetry
from edgetui.engine.telemetry.energy import EnergyFigure, Window
from edgetui.engine.telemetry.source_choice import choose

DEMO = Path(__file__).resolve().parents[2] / "profiles" / "demo"
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not os.environ.get("EDGETUI_LIVE"), reason="needs a board or a GPU: set EDGETUI_LIVE=1 there"),
]


@pytest.fixture
def telemetry(own_state: Path):
    with open_telemetry(own_state, "auto", 20.0) as opened:
        end_s = time.monotonic() + 10
        while time.monotonic() < end_s and (opened.newest() is None or opened.newest_number() < 5):
            time.sleep(0.01)
        newest = opened.newest()
        if newest is None or newest.total_mw is None:
            pytest.skip("needs a board or a GPU that tells its power")
        yield opened


def taken(telemetry: Telemetry, seconds: float) -> EnergyFigure:
    window = Window(telemetry)
    time.sleep(seconds)
    return window.end()


def test_power_follows_a_load_of_all_cores(telemetry: Telemetry) -> None:
    """INA3221 and RAPL alike; a card's own power does not, so this is of a board or a processor."""
    if telemetry.source == "nvml":
        pytest.skip("needs a board: a card does not feel the cores")
    idle = taken(telemetry, 5.0)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        time.sleep(1.0)
        loaded = taken(telemetry, 5.0)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert idle.reason is None
    assert loaded.reason is None
    assert idle.mean_w is not None
    assert loaded.mean_w is not None
    assert loaded.mean_w > 1.05 * idle.mean_w
    assert loaded.changes >= 10


def test_rails_have_a_value_for_each_of_twenty_reads_a_second(telemetry: Telemetry) -> None:
    """An INA3221 at its defaults converts every 6.6 ms: at 20 Hz nothing is read twice for want of a new value."""
    if telemetry.source != "jetson":
        pytest.skip("needs a board with an INA3221")
    time.sleep(5.0)
    stats = telemetry.stats()
    assert stats.effective_rate_hz == pytest.approx(20, rel=0.1)
    assert stats.sweep_ms is not None
    assert stats.sweep_ms < 50


def test_a_card_counts_and_its_counter_moves_ten_times_a_second() -> None:
    """An H200: a new value each 100 ms, at once after a load begins, 3.1 ms a call."""
    source = choose("auto", Files()).source
    if source.name != "nvml":
        source.close()
        pytest.skip("needs a GPU of its own memory, with NVML")
    counted = []
    for _ in range(200):
        sample = source.read(time.monotonic())
        assert sample is not None
        if "total J" not in sample.counters:
            pytest.skip("needs a GPU that counts its energy")
        counted.append((sample.t_s, sample.counters["total J"]))
        time.sleep(0.02)
    source.close()
    moved = sum(b[1] != a[1] for a, b in itertools.pairwise(counted))
    seconds = counted[-1][0] - counted[0][0]
    assert 4 < moved / seconds <= 55
    assert all(b[1] >= a[1] for a, b in itertools.pairwise(counted))


def run(*words: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "edgetui", "run", str(DEMO / "digits.onnx"), "--dataset", str(DEMO / "digits.toml"), "--json"]
    done = subprocess.run([*argv, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_run_has_joules_and_their_method(telemetry: Telemetry) -> None:
    document = run("--recipe", "int8", "--preset", "quick")
    for side in ("baseline", "candidate"):
        found = document[side]["energy_j_per_inference"]
        assert found["gross"] is not None, document["reasons"].get(f"{side}.energy_j_per_inference.gross")
        assert found["gross"] > 0
        assert found["gross_half_width"] < found["gross"]
        assert found["scope"] in ("module", "board input", "package", "gpu")
        assert found["method"] == ("counter" if telemetry.source in ("nvml", "host") else "trapezoid")


def test_the_same_plan_twice_shows_no_difference(telemetry: Telemetry, tmp_path: Path) -> None:
    recipe = tmp_path / "nothing.toml"
    recipe.write_text('title = "Changes nothing"\n\n[[step]]\nmethod = "prune.magnitude"\nthreshold = 1e-30\n')
    assert run("--recipe", str(recipe), "--preset", "normal")["verdict"].get("energy") in (None, "no difference shown")
