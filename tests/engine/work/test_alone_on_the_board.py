"""Questions that measure hold the board alone."""

from __future__ import annotations

import os
from pathlib import Path

from edgetui.engine.runs.board_queue import Device, draw_ticket
from edgetui.engine.schema import events
from edgetui.engine.system.pipe_reporter import PipeReporter
from edgetui.engine.work.query_process import _alone


def test_who_waits_for_the_board_says_for_whom(tmp_path: Path) -> None:
    first = Device(tmp_path, draw_ticket(tmp_path), "first")
    first.acquire(lambda _: None, lambda: False)
    here, there = os.pipe()

    class Heard(PipeReporter):
        def waiting(self, queued: events.Queued) -> None:
            super().waiting(queued)
            first.release()

    with _alone(tmp_path, draw_ticket(tmp_path), "second", Heard(there, "plan")):
        said = events.decode(os.read(here, 4096))
    os.close(here)
    os.close(there)
    assert isinstance(said, events.Queued)
    assert said.waiting_for == "first"
