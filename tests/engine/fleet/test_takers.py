"""What a resource was asked for is one board's, whoever asks how often, until it is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from edgetui.engine.fleet.takers import KEPT_S, Takers


def test_the_first_board_has_it_and_keeps_it(tmp_path):
    takers = Takers(tmp_path)
    assert takers.taker("key") == ""
    assert takers.take("key", "one") == "one"
    assert takers.take("key", "two") == "one"
    assert Takers(tmp_path).taker("key") == "one", "another scheduler finds it"
    assert takers.take("other", "two") == "two"
    takers.leave("key")
    assert takers.take("key", "two") == "two"


def test_of_many_who_take_at_once_one_has_it(tmp_path):
    takers = Takers(tmp_path)
    with ThreadPoolExecutor(16) as pool:
        told = set(pool.map(lambda number: takers.take("key", f"board-{number}"), range(64)))
    assert len(told) == 1
    assert told == {takers.taker("key")}


def test_what_nobody_asks_for_is_forgotten(tmp_path):
    takers = Takers(tmp_path)
    takers.take("key", "one")
    now = (tmp_path / "taken" / "key").stat().st_mtime
    takers.forget_old(now + KEPT_S - 60)
    assert takers.taker("key") == "one"
    takers.forget_old(now + KEPT_S + 3600)
    assert takers.taker("key") == ""


def test_a_folder_that_cannot_be_written_is_an_answer(tmp_path):
    (tmp_path / "taken").write_text("no folder")
    taker, why = Takers(tmp_path).answer("key", "one")
    assert taker == ""
    assert str(tmp_path) in why
