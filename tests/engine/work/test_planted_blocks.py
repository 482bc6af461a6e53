"""Blocks that were made fragile stand before all others, in networks of several kinds, whichever blocks they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.runs.kept_rows import keyed
from edgetui.engine.runs.queries import SensitivityQuestion
from edgetui.engine.schema.sensitivity import Sensitivity
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import Recipe, changed, plain_step
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.sensitivities import sensitivity
from planted import plant

ZOO = PACKAGE / "profiles" / "zoo"
DIGITS = str(ZOO / "digits.toml")
BLOCKS = 3
SEEDS = int(os.environ.get("EDGETUI_PLANTED", "2"))
"""All twenty take ten minutes of a processor."""


def ranked(home: Path, model: Path) -> Sensitivity:
    step = changed(plain_step("quantize.int8"), "samples", 64)
    spec = RunSpec(model=str(model), recipe=Recipe(name="one", step=(step,)), dataset=read_dataset(DIGITS, {}))
    return sensitivity(home, keyed(SensitivityQuestion(spec=spec, samples=64)), NullReporter(), lambda _: None)


def first_blocks(told: Sensitivity, planted: list[tuple[str, str]]) -> list[str]:
    """Blocks in the order of their more sensitive unit; other units are blocks of their own."""
    block_of = {unit: "planted " + pair[0] for pair in planted for unit in pair}
    return list(dict.fromkeys(block_of.get(row.unit, row.unit) for row in told.rows))


def outputs_of(model: Path) -> np.ndarray:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    shape = [each if isinstance(each, int) else 1 for each in session.get_inputs()[0].shape]
    image = np.random.default_rng(1).random(shape, np.float32)
    return np.asarray(session.run(None, {session.get_inputs()[0].name: image})[0])


@pytest.mark.long
@pytest.mark.parametrize("name", ["digits-vgg11", "digits-mobilenet-v1", "digits-inception"])
def test_planted_blocks_stand_first_in_every_seed(tmp_path: Path, name: str):
    source = ZOO / f"{name}.onnx"
    for seed in range(SEEDS):
        model = tmp_path / f"{seed}.onnx"
        planted = plant(source, model, BLOCKS, seed)
        np.testing.assert_allclose(outputs_of(model), outputs_of(source), rtol=1e-3, atol=1e-4)
        order = first_blocks(ranked(tmp_path / "home", model), planted)
        assert all(block.startswith("planted") for block in order[:BLOCKS]), (seed, planted, order[: 2 * BLOCKS])


def test_a_planted_block_stands_first(tmp_path: Path):
    model = tmp_path / "planted.onnx"
    planted = plant(ZOO / "digits-vgg11.onnx", model, 1, 4)
    told = ranked(tmp_path / "home", model)
    assert first_blocks(told, planted)[0].startswith("planted")
    others = [row.kl or 0.0 for row in told.rows if row.unit not in planted[0]]
    assert (told.rows[0].kl or 0.0) > 40 * max(others)
