"""What readers lose with a channel: beside least squares done for each choice, and where norms would mislead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.compress import channel_errors
from edgetui.engine.compress.channels import prune
from edgetui.engine.compress.layer_rows import linear_layers
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import weights
from edgetui.engine.schema.steps import PruneChannels
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net
from onnx import numpy_helper


def twins(bench: Bench, size: int = 3) -> Path:
    """Of eight channels 0 and 1 are the same, and louder than all others: either can go, and nothing is lost."""
    made = Net()
    x = made.conv(made.input("image", 1, 3, 10, 10), 3, 8, name="makes")
    for place in (-2, -1):
        tensor = made.constants[place]
        array = numpy_helper.to_array(tensor).copy()
        array[1] = array[0] = 5 * array[0]
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    x = made.conv(made.node("Relu", x), 8, 12, size=size, name="reads")
    return bench.save(made.model(made.node("Relu", x)))


def error(bench: Bench, one: Path, other: Path) -> float:
    feeds = list(bench.feeds(load(one), 20, 9))
    pairs = [(bench.run(one, feed)[0], bench.run(other, feed)[0]) for feed in feeds]
    return float(sum(np.sum((a - b) ** 2) for a, b in pairs) / sum(np.sum(a**2) for a, _ in pairs))


@pytest.mark.parametrize("whole", [True, False])
def test_what_another_channel_says_as_well_goes_first(bench: Bench, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control is the norm, which keeps both twins and loses another channel for good."""
    if not whole:  # a kernel too large to be looked at in whole
        monkeypatch.setattr(channel_errors, "_WHOLE", 1)
    source, out = twins(bench), bench.folder / "o.onnx"
    feeds = list(bench.feeds(load(source), 30, 1))
    errors = {}
    for norm in ("error", "l1"):
        step = PruneChannels(amount=0.125, round_to=1, norm=norm, statistics=False)
        prune(step, source, out, feeds, NullReporter())
        errors[norm] = error(bench, source, out)
        before, after = (weights(load(path))[0].array().reshape(-1, 27) for path in (source, out))
        assert len(after) == 7
        alone = [place for place in range(2, 8) if min(np.abs(after - before[place]).max(axis=1)) > 1e-2]
        assert alone == [] if norm == "error" else len(alone) == 1
    assert errors["error"] < 0.2 * errors["l1"]


def test_foreseen_losses_are_those_of_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """One channel after another, beside numpy's own fit of the reader's weights on the same rows without them."""
    monkeypatch.setattr(channel_errors, "_RIDGE", 1e-9)
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((500, 4)) @ draw.standard_normal((4, 12)) + 0.5 * draw.standard_normal((500, 12)) + 1
    made = Net()
    x = made.node("Relu", made.node("Gemm", made.input("x", 1, 5), made.weight(5, 12), made.weight(12)))
    model = made.model(made.node("Gemm", x, made.weight(12, 6), made.weight(6), name="reads"))
    layer = linear_layers(model, weights(model))["reads"]
    reader = channel_errors._Reader(layer, tuple(range(100, 112)))
    wide = np.concatenate([rows, np.ones((500, 1))], axis=1)
    fit = channel_errors._Fit(reader, wide.T @ wide)
    given = wide @ reader.matrix().T
    whole = float(np.sum((given - given.mean(axis=0)) ** 2))
    gone: list[int] = []
    total = 0.0
    for root in (103, 110, 100):
        total += float(fit.losses([root])[0])
        gone.append(root - 100)
        fit.remove(root)
        left = np.delete(wide, gone, axis=1)
        missed = given - left @ np.linalg.lstsq(left, given, rcond=None)[0]
        assert total == pytest.approx(float(np.sum(missed**2)) / whole, rel=1e-4)


def test_without_repair_or_samples_the_norm_decides(bench: Bench) -> None:
    source = twins(bench)
    feeds = list(bench.feeds(load(source), 10, 1))
    found = []
    for norm, given in (("l1", None), ("error", None), ("error", feeds)):
        step = PruneChannels(amount=0.25, round_to=1, norm=norm, repair=False, statistics=False)
        prune(step, source, bench.folder / "o.onnx", given, NullReporter())
        found.append(weights(load(bench.folder / "o.onnx"))[0].array().tolist())
    assert found[0] == found[1] == found[2]


def test_samples_that_are_not_numbers_rank_nothing(bench: Bench) -> None:
    source = twins(bench)
    broken = [{"image": np.full((1, 3, 10, 10), np.inf, np.float32)}] * 3
    with pytest.raises(ModelRefused, match="becomes NaN or infinite"):
        prune(PruneChannels(amount=0.25), source, bench.folder / "o.onnx", broken, NullReporter())
