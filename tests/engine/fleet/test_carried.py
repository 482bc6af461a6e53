"""What one terminal waits for is told to the others: how many runs are done, of how many, for as long as it waits."""

from __future__ import annotations

import os

from edgetui.engine.fleet.carried import Carried, carried
from edgetui.engine.report.fleet_table import asked_words, does, heard_words
from edgetui.engine.schema.fleet import BoardAsked, BoardGlance, BoardNow, BoardStanding


def test_runs_are_counted_board_by_board_while_somebody_waits_for_them(tmp_path):
    with Carried(tmp_path, "study qin2018", [("orin", 3), ("nano", 3), ("orin", 3), ("any", 0)]) as count:
        count.done("orin", 3)
        count.done("nano", 2)
        found = carried(tmp_path)
        assert {each.on: (each.done, each.of) for each in found} == {"orin": (3, 6), "nano": (2, 3)}
        assert asked_words(found) == ["study qin2018: 5 of 9 runs done"]
    assert carried(tmp_path) == ()


def test_what_a_killed_one_left_is_not_told_and_goes(tmp_path):
    (tmp_path / "carried").mkdir()
    left = tmp_path / "carried" / "1-2.json"
    left.write_text('[{"on":"orin","done":1,"of":2}]')
    assert carried(tmp_path) == ()
    os.utime(left, (1.0, 1.0))
    assert carried(tmp_path) == ()
    assert not left.exists()


def test_a_full_disk_stops_nobody(tmp_path):
    (tmp_path / "carried").write_text("no folder")
    with Carried(tmp_path, "", [("orin", 3)]) as count:
        count.done("orin", 3)
    assert carried(tmp_path) == ()


def test_the_stage_of_a_run_stands_however_little_room_there_is():
    now = BoardGlance(run="20261201-0512-resnet20_cifar10-int8", stage="measure", of=3, done=1)
    assert does(now) == "20261201-0512-resnet20_cifar10-int8: measure, 1 of 3 runs done"
    assert does(now, 60) == "resnet20_cifar10-int8: measure, 1 of 3 runs done"
    assert does(now, 30) == "measure, 1 of 3 runs done"
    assert does(now, 10) == "measure, 1 of 3"


def test_when_a_board_was_heard_is_said_in_few_words():
    def heard(value):
        return BoardNow(standing=BoardStanding(board="orin", host="orin", state="away"), heard_s=value)

    assert [heard_words(heard(value)) for value in (None, 0.2, 4.4, 43.0, 900.0)] == ["–", "now", "4 s", "43 s", "15 min"]
    assert heard_words(heard(43.0), whole=True) == "43 s ago"
    assert asked_words([BoardAsked(on="orin", done=0, of=2)]) == ["0 of 2 runs done"]
