"""What was asked of boards together: what came of each, and why it cannot be cancelled where it goes on."""

from __future__ import annotations

import asyncio

import pytest
from edgetui.engine.fleet.asks import FleetAsk, Sending
from edgetui.engine.fleet.fleet_front import Fleet
from edgetui.engine.fleet.followed_asks import FollowedAsks
from edgetui.engine.fleet.keeping import Keeping, KeptFleet
from edgetui.engine.fleet.trainer import Trainer
from edgetui.engine.schema.fleet import BoardOutcome, FleetBoard
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.schema.training_steps import TrainFinetune
from fleets import needs_fleet


@pytest.fixture
def spec(tmp_path) -> RunSpec:
    (tmp_path / "a.onnx").write_bytes(b"a model")
    return RunSpec(model=str(tmp_path / "a.onnx"), recipe=Recipe(name="tuned", step=(TrainFinetune(),)))


@pytest.fixture
def taken_down(tmp_path) -> Fleet:
    """Two boards of which nobody keeps any up."""
    needs_fleet()
    boards = tuple(FleetBoard(name=name, host="localhost") for name in ("one", "two"))
    (tmp_path / "fleet").mkdir()
    Keeping(tmp_path).ask(KeptFleet(port=1, boards=boards))
    return Fleet(tmp_path)


async def test_what_goes_on_is_told_by_its_board_when_it_cannot_be_cancelled(taken_down, spec):
    heard: list[BoardOutcome] = []
    followed = FollowedAsks(taken_down, [FleetAsk((spec,), "one"), FleetAsk((spec,), "any")], "a tuned", ended=heard.append)
    await followed.follow()
    assert [each.error.what for each in followed.ended] == ["the fleet was taken down"] * 2
    assert sorted(each.on for each in heard) == ["any", "one"]
    assert followed.document.on == followed.ended
    assert [why.what for why in await followed.cancel()] == ["the fleet was taken down"], (
        "of `any` no board is known to have it"
    )


async def test_who_leaves_waits_for_no_training(tmp_path, spec):
    """On a screen, which lives on, it would follow and connect again for as long as the board trains."""
    waiting, ended = asyncio.Event(), asyncio.Event()

    async def to_its_end(sent, board: str) -> BoardOutcome:
        del sent
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return BoardOutcome(on=board)

    boards = (FleetBoard(name="shop", host="localhost"),)
    trainer = Trainer(tmp_path, None, Sending(boards, tmp_path), to_its_end, lambda told: None)
    asking = asyncio.ensure_future(trainer.trained(FleetAsk((spec,), "one", "", "shop")))
    await waiting.wait()
    asking.cancel()
    await asyncio.sleep(0)
    assert not ended.is_set(), "others may wait for the same"
    await trainer.close()
    assert ended.is_set()
