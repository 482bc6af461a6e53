"""Runs whose recipe trains: with PyTorch they go to their end; without it they are refused before anything begins."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import msgspec
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.schema.events import Learning, Note
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.schema.steps import (
    PruneMagnitude,
    QuantizeInt8,
    QuantizeWeights,
    Recipe,
    TrainDistill,
    TrainFinetune,
    TrainPruneIterative,
    TrainQat,
)

TORCH = importlib.util.find_spec("torch") is not None
STEPS = (PruneMagnitude(scope="global", amount=0.8), TrainFinetune(epochs=2), QuantizeInt8(samples=64))


@pytest.fixture
def training(spec):
    data = Dataset(kind="npz", path=str(PACKAGE / "profiles" / "demo" / "digits.npz"))
    return msgspec.structs.replace(spec, recipe=Recipe(name="tuned", step=STEPS), dataset=data)


@pytest.mark.long
@pytest.mark.skipif(not TORCH, reason="needs torch")
async def test_prune_finetune_and_int8_in_one_run(engine, training):
    run = await engine.submit(training)
    said = [event async for event in engine.watch(run)]
    result = await engine.result(run)
    assert (result.state, result.error) == ("done", None)
    names = [stage.name for stage in result.stages]
    assert names[2:5] == ["prune.magnitude", "train.finetune", "quantize.int8"]
    told = next(stage.summary for stage in result.stages if stage.name == "train.finetune")
    assert "80.0 % of weights are zero" in told
    assert any("epoch 2 of 2, loss" in getattr(event, "text", "") for event in said)
    assert result.dataset.evaluated == 697
    assert result.candidate.accuracy.top1 > 0.8


@pytest.mark.long
@pytest.mark.skipif(not TORCH, reason="needs torch")
@pytest.mark.parametrize(
    "steps",
    [
        (QuantizeWeights(bits=4), TrainQat(epochs=1, keep_zeros=False)),
        (TrainPruneIterative(amount=0.6, rounds=2), QuantizeInt8(samples=64), TrainQat(epochs=1)),
    ],
    ids=["integer weights", "pruned in rounds, with ranges"],
)
async def test_training_behind_rounding_in_one_run(engine, training, steps):
    run = await engine.submit(msgspec.structs.replace(training, recipe=Recipe(name="rounded", step=steps)))
    async for _ in engine.watch(run):
        pass
    result = await engine.result(run)
    assert (result.state, result.error) == ("done", None)
    said = {stage.name: stage.summary for stage in result.stages}
    assert " scales, changed by " in said["train.qat"]
    assert result.candidate.accuracy.top1 > 0.8
    if "train.prune_iterative" in said:
        assert said["train.prune_iterative"].startswith("2 of 2 rounds, 60.0 % of ")


@pytest.mark.long
@pytest.mark.skipif(not TORCH, reason="needs torch")
async def test_a_distillation_that_is_broken_off_goes_on_from_its_last_epoch(engine, training, own_state):
    recipe = Recipe(name="student", step=(TrainDistill(width=0.5, epochs=30, start="drawn"),))
    run = await engine.submit(msgspec.structs.replace(training, recipe=recipe, measure=False))
    async for event in engine.watch(run):
        if isinstance(event, Learning) and event.ended and event.epoch == 3:  # what it knew after the second is kept
            await engine.cancel(run)
    await engine.resume(run)
    said = [event async for event in engine.watch(run)]
    result = await engine.result(run)
    assert (result.state, result.error) == ("done", None)
    assert any("taken up again after epoch" in event.text for event in said if isinstance(event, Note))
    ended = [event.epoch for event in said if isinstance(event, Learning) and event.ended]
    assert sorted(set(ended)) == list(range(1, 31))
    assert len(ended) <= 31
    assert not list((own_state / "runs" / run).glob("unfinished/*"))


@pytest.mark.skipif(TORCH, reason="needs a Python without torch")
async def test_without_pytorch_the_run_is_refused_before_it_begins(engine, training, own_state):
    with pytest.raises(RecipeRefused, match="needs PyTorch") as caught:
        await engine.submit(training)
    assert "pip install 'edgetui[train]'" in caught.value.fix
    assert not list(own_state.glob("runs/*"))


def test_no_stage_but_training_loads_pytorch():
    code = "import sys, edgetui.engine.work.pipeline, edgetui.engine.work.apply_step; "
    code += "import edgetui.engine.compress.train.finetune as it; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
