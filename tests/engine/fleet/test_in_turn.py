"""Asks of a resource pass one a board, in their order, and more as boards join."""

from __future__ import annotations

import asyncio

import pytest
from edgetui.engine.fleet import in_turn
from edgetui.engine.fleet.in_turn import InTurn


class Boards:
    """A scheduler that has so many boards now, and asks that go on until they are let go."""

    def __init__(self, joined: int) -> None:
        self.count = joined
        self.turns = InTurn()
        self.going: list[int] = []
        self.ends = [asyncio.Event() for _ in range(6)]

    async def joined(self) -> int:
        return self.count

    async def ask(self, number: int) -> None:
        async with self.turns.turn("orin", self.joined):
            self.going.append(number)
            await self.ends[number].wait()


async def settled(boards: Boards, wanted: list[int]) -> bool:
    """Whether these are let through, and after some looks still no other."""
    for _ in range(100):
        await asyncio.sleep(0.01)
        if boards.going == wanted:
            break
    await asyncio.sleep(5 * in_turn.LOOK_S)
    return boards.going == wanted


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    monkeypatch.setattr(in_turn, "LOOK_S", 0.01)


async def test_as_many_go_as_boards_have_joined_and_the_next_when_one_ends():
    boards = Boards(2)
    asked = [asyncio.ensure_future(boards.ask(number)) for number in range(6)]
    assert await settled(boards, [0, 1])
    boards.ends[1].set()
    assert await settled(boards, [0, 1, 2])
    boards.count = 4  # two more come back
    assert await settled(boards, [0, 1, 2, 3, 4])
    for end in boards.ends:
        end.set()
    await asyncio.gather(*asked)
    assert boards.going == [0, 1, 2, 3, 4, 5]


async def test_one_is_let_through_where_none_has_joined_yet():
    boards = Boards(0)
    asked = [asyncio.ensure_future(boards.ask(number)) for number in range(2)]
    assert await settled(boards, [0])
    for end in boards.ends:
        end.set()
    await asyncio.gather(*asked)


async def test_who_waits_and_is_given_up_takes_no_place():
    boards = Boards(1)
    asked = [asyncio.ensure_future(boards.ask(number)) for number in range(3)]
    assert await settled(boards, [0])
    asked[1].cancel()
    boards.ends[0].set()
    assert await settled(boards, [0, 2])
    boards.ends[2].set()
    await asyncio.gather(asked[0], asked[2])


async def test_a_scheduler_that_is_lost_meanwhile_is_an_error_of_that_ask_alone():
    boards = Boards(1)

    async def lost() -> int:
        raise OSError("link")

    with pytest.raises(OSError, match="link"):
        async with boards.turns.turn("orin", lost):
            pass
    boards.ends[0].set()
    await boards.ask(0)
    assert boards.going == [0]
