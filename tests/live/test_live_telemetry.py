"""Sensors of the machine that runs the tests: EDGETUI_LIVE=1 on a board, or on a computer with an NVIDIA card."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from edgetui.engine.system.boards import detect
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.client import open_telemetry
from edgetui.engine.telemetry.energy import Window
from edgetui.engine.telemetry.source_choice import choose
from edgetui.engine.telemetry.sources.source import SourceRefused

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not os.environ.get("EDGETUI_LIVE"), reason="needs a board or a GPU: set EDGETUI_LIVE=1 there"),
]


def test_a_board_tells_its_total_power_and_energy(own_state: Path) -> None:
    board = detect()
    if not board.profile.total:
        pytest.skip(f"{board.name} has no rule for a total")
    with open_telemetry(own_state, "auto", 20.0) as telemetry:
        while telemetry.newest() is None:
            time.sleep(0.01)
        window = Window(telemetry)
        time.sleep(5.0)
        figure = window.end()
        assert telemetry.stats().gaps <= 2
    assert figure.reason is None
    assert figure.mean_w is not None
    assert 0.3 < figure.mean_w < 150
    assert figure.coverage > 0.9


def test_a_card_counts_its_energy_like_its_power() -> None:
    try:
        source = choose("nvml", Files()).source
    except SourceRefused as why:
        pytest.skip(str(why))
    first = source.read(time.monotonic())
    powers = []
    for _ in range(100):
        time.sleep(0.05)
        sample = source.read(time.monotonic())
        assert sample is not None
        assert sample.total_mw is not None
        powers.append(sample.total_mw / 1000)
    source.close()
    assert first is not None
    counted = (sample.counters["total J"] - first.counters["total J"]) / (sample.t_s - first.t_s)
    assert counted == pytest.approx(sum(powers) / len(powers), rel=0.15)
