"""What limits at run time hear of the board's sensors, through a real sampler of a board that was laid out."""

from __future__ import annotations

import time

from edgetui.engine.measure.threshold import WINDOW
from edgetui.engine.schema.escalation import EscalationRule, RunTimeLimits
from edgetui.engine.work.board_sense import BoardSense
from edgetui.engine.work.two_plans import Escalated


def test_watts_and_heat_of_a_board_lower_the_threshold(lay_out, tmp_path):
    lay_out("nano_r32")
    sense = BoardSense(tmp_path / "home")
    until = time.monotonic() + 60
    while None in (told := sense()) and time.monotonic() < until:
        time.sleep(0.05)
    watts, warmest = told
    assert 0 < watts < 60
    assert 10 < warmest < 120
    for limits, moves in ((RunTimeLimits(power_w=watts / 2), True), (RunTimeLimits(temperature_c=warmest * 2), False)):
        rule = EscalationRule(narrow="a", wide="b", threshold=0.5, limits=limits)
        counted = Escalated(rule, sense)
        for _ in range(3 * WINDOW):
            counted.add(counted.threshold, again=False, took_ms=1.0)
        assert (counted.threshold < 0.5) == moves
        assert not counted.unheard
    sense.close()
