"""Both plans over all samples: what several callers at once must not change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.data.samples import Batch
from edgetui.engine.errors import DataRefused
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.work.concurrent import infer_all
from onnx import TensorProto, helper

BACKEND = OnnxRuntime()


@pytest.fixture
def double(tmp_path: Path) -> Path:
    """y = x + x, of one number."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", ends[:1], ends[1:])
    path = tmp_path / "double.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def numbers(n: int, read: list[int]) -> Iterator[Batch]:
    """Batches of one number each; `read` tells which have been read."""
    for number in range(n):
        read.append(number)
        yield Batch({"x": np.full((1, 1), number, np.float32)}, None, 1)


@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (3, 6)])
def test_answers_come_in_the_order_of_the_batches_and_few_are_held(double, threads, ahead):
    session = BACKEND.load(double, BackendSettings(threads=threads), cooperative=True)
    assert session.max_concurrency == threads
    read: list[int] = []
    for place, (batch, (first, second)) in enumerate(infer_all((session, session), numbers(200, read))):
        assert batch.feeds["x"].item() == place
        assert first["y"].item() == second["y"].item() == 2 * place
        assert len(read) <= place + 1 + ahead
    assert len(read) == 200


@pytest.mark.parametrize("threads", [1, 2])
def test_a_sample_that_does_not_fit_ends_the_evaluation(double, threads):
    session = BACKEND.load(double, BackendSettings(threads=threads), cooperative=True)
    wrong = Batch({"x": np.zeros((1, 2), np.float32)}, None, 1)
    with pytest.raises(DataRefused, match="x"):
        list(infer_all((session,), iter([*numbers(5, []), wrong, *numbers(50, [])])))


def test_several_callers_get_what_the_plan_computes_alone(shared):
    """To the bit: sums are grouped by the number of threads, which therefore stays what it was when latency was measured."""
    model, settings = shared / "models" / "ultraface_rfb320.onnx", BackendSettings(threads=2)
    draw = np.random.default_rng(0)
    batches = [Batch({"input": draw.standard_normal((1, 3, 240, 320)).astype(np.float32)}, None, 1) for _ in range(8)]
    deployed, shared_out = BACKEND.load(model, settings), BACKEND.load(model, settings, cooperative=True)
    assert shared_out.max_concurrency == 2
    for batch, (outputs,) in infer_all((shared_out,), iter(batches)):
        alone = deployed.run(batch.feeds)
        assert {name: array.tobytes() for name, array in outputs.items()} == {n: a.tobytes() for n, a in alone.items()}
