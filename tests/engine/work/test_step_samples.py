"""How many samples a step reads of those that are there, and what it says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, TrainFinetune
from edgetui.engine.system.reporter import NullReporter, Reporter
from edgetui.engine.work.apply_step import apply_step
from onnx import numpy_helper, parser

MODEL = '<ir_version: 8, opset_import: ["" : 17]> g (float[4,6] x) => (float y) { y = MatMul(x, w) }'


def digits(folder: Path, there: int) -> tuple[Path, Samples]:
    """A model that takes four samples at once, and labelled samples for it."""
    model = parser.parse_model(MODEL)
    model.graph.initializer.append(numpy_helper.from_array(np.ones((6, 3), np.float32), "w"))
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    values = np.random.default_rng(0).random((there, 6), np.float32)
    np.savez(folder / "d.npz", x=values, labels=np.arange(there) % 3)
    facts = [TensorFacts(name="x", dtype="float", shape=(4, 6))]
    dataset = Dataset(kind="npz", path=str(folder / "d.npz"))
    return folder / "m.onnx", open_samples(dataset, facts, {"x": (4, 6)}, "all", 0, NullReporter())


@pytest.mark.parametrize(("there", "asked", "used"), [(10, 500, 8), (12, 7, 4), (3, 500, 4)])
def test_calibration_takes_whole_batches(tmp_path: Path, there: int, asked: int, used: int) -> None:
    model, samples = digits(tmp_path, there)
    text, stamp = apply_step(QuantizeInt8(samples=asked), model, tmp_path / "o.onnx", samples, 4, NullReporter())
    assert f"on {used} samples" in text
    assert stamp is not None
    assert stamp.calibrated == min(there, used)
    said = f"all {there} of d.npz" if there <= used else f"{used} of {there} of d.npz, seed 0"
    assert stamp.calibration == said


@pytest.mark.parametrize(("asked", "used"), [(None, 10), (7, 7), (500, 10)])
def test_training_is_given_labelled_samples_as_many_as_asked_for(
    tmp_path: Path, monkeypatch, asked: int | None, used: int
) -> None:
    def read(step: TrainFinetune, source: Path, out: Path, samples: Samples, say: Reporter, kept: None) -> str:
        return str([batch.labels is not None for batch in samples.batches(100)] == [True] and samples.read)

    monkeypatch.setattr("edgetui.engine.compress.train.finetune.finetune", read)  # which needs PyTorch
    model, samples = digits(tmp_path, 10)
    text, stamp = apply_step(TrainFinetune(samples=asked), model, tmp_path / "o.onnx", samples, 4, NullReporter())
    assert text == str(used)
    assert stamp is not None
    assert stamp.calibrated == used
    assert stamp.calibration == ("all 10 of d.npz" if used == 10 else f"{used} of 10 of d.npz, seed 0")


def test_samples_that_are_optional_may_be_missing(tmp_path: Path) -> None:
    model, samples = digits(tmp_path, 50)
    assert apply_step(PrecisionFp16(), model, tmp_path / "o.onnx", None, 4, NullReporter())[1] is None
    stamp = apply_step(PrecisionFp16(), model, tmp_path / "o.onnx", samples, 4, NullReporter())[1]
    assert stamp is not None
    assert stamp.calibrated == 32
