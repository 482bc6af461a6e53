"""Whoever waits for a board hears why it is away, and that it is back, each once."""

from __future__ import annotations

import pytest
from edgetui.engine.errors import RunFailed
from edgetui.engine.fleet import link
from edgetui.engine.fleet.away import Away
from edgetui.engine.schema.fleet import BoardStanding


def standing(board, state, reason=""):
    return BoardStanding(board=board, host=board, state=state, reason=reason)


def test_it_is_told_once_and_once_more_when_that_has_changed():
    told = []
    away = Away(("orin",), told.append)
    states = (
        ("up", ""),
        ("away", "nobody answers ssh there"),
        ("away", "nobody answers ssh there"),
        ("starting", ""),
        ("refused", "its disk is full (3 MB are free)"),
        ("up", ""),
        ("up", ""),
    )
    for state, reason in states:
        away.tell({"orin": standing("orin", state, reason), "nano": standing("nano", "away")})
    assert [(each.trouble or each.stage).partition(";")[0] for each in told] == [
        "is away: nobody answers ssh there",
        "is refused: its disk is full (3 MB are free)",
        "is up again",
    ]
    assert "5 min at most" in told[0].trouble


def test_of_a_resource_one_that_is_up_is_enough():
    told = []
    away = Away(("orin", "nano"), told.append)
    away.tell({"orin": standing("orin", "away"), "nano": standing("nano", "up")})
    assert told == []


class KeptUp:
    def up(self):
        return True

    def standing(self):
        return {"orin": standing("orin", "away", "nobody answers ssh there")}


def test_one_that_never_comes_back_is_given_up_after_five_minutes_with_the_reason(monkeypatch):
    monkeypatch.setattr(link, "set_up", lambda: None)
    asking = link.FleetLink(KeptUp())
    asking._last_up_s["orin",] = 0.0
    clock = iter((299.0, 301.0))
    monkeypatch.setattr(link.time, "monotonic", lambda: next(clock))
    asking._look_up(("orin",))
    with pytest.raises(RunFailed, match=r"board orin was away for 300 s \(nobody answers ssh there\)"):
        asking._look_up(("orin",))
