"""Streaming calibration against what numpy says of all values at once; bad samples; how much is held at a time."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from edgetui.engine.compress import ranges
from edgetui.engine.compress.calibrate import BATCH, calibrate
from edgetui.engine.errors import DataRefused, ModelRefused
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, TensorProto

if TYPE_CHECKING:
    from .conftest import Bench, Net

Feeds = dict[str, np.ndarray]


def ends(histogram: ranges.Histogram) -> ranges.Range:
    return histogram.ends()


def plain(net: type[Net], batch: int | str = 1) -> tuple[ModelProto, list[str]]:
    made = net()
    image = made.input("image", batch, 3, 8, 8)
    first = made.node("Relu", made.conv(image, 3, 8))
    second = made.conv(first, 8, 8)
    return made.model(second), [image, first, second]


def seen(bench: Bench, model: ModelProto, tensors: list[str], feeds: list[Feeds]) -> dict[str, np.ndarray]:
    """All values of the tensors over all feeds, by a plain run."""
    watching = ModelProto()
    watching.CopyFrom(model)
    del watching.graph.output[:]
    inner = [name for name in tensors if name not in feeds[0]]
    for name in inner:
        watching.graph.output.add(name=name)
    runs = [bench.run(watching, feed) for feed in feeds]
    found = {name: np.concatenate([run[index].ravel() for run in runs]) for index, name in enumerate(inner)}
    return found | {name: np.concatenate([feed[name].ravel() for feed in feeds]) for name in tensors if name in feeds[0]}


@pytest.mark.parametrize("batch", [1, "n"])
def test_minmax_is_the_least_and_the_largest_of_all(net: type[Net], bench: Bench, batch: int | str) -> None:
    model, tensors = plain(net, batch)
    feeds = list(bench.feeds(model, 37))
    found, count = calibrate(bench.save(model), tensors, feeds, 100, None, NullReporter())
    assert count == 37
    for name, values in seen(bench, model, tensors, feeds).items():
        assert found[name] == pytest.approx((values.min(), values.max()), rel=1e-4, abs=1e-5)


def test_histograms_hold_every_value(net: type[Net], bench: Bench) -> None:
    model, tensors = plain(net)
    feeds = list(bench.feeds(model, 37))
    kept: list[ranges.Histogram] = []

    def keep(histogram: ranges.Histogram) -> ranges.Range:
        kept.append(histogram)
        return ranges.percentile(histogram, 98.0)

    found, _ = calibrate(bench.save(model), tensors, feeds, 100, keep, NullReporter())
    for name, histogram in zip(tensors, kept, strict=True):
        values = seen(bench, model, tensors, feeds)[name]
        assert int(histogram.counts.sum()) == values.size
        left_out = 0.01 if values.min() < 0 else 0.02
        low, high = found[name]
        assert (values > high + histogram.step).mean() <= left_out <= (values > high - 2 * histogram.step).mean()
        if left_out == 0.01:
            assert (values < low - histogram.step).mean() <= left_out <= (values < low + 2 * histogram.step).mean()


def test_only_as_many_samples_as_asked_for_are_read(net: type[Net], bench: Bench) -> None:
    model, tensors = plain(net)
    source = bench.feeds(model, 50)
    _, count = calibrate(bench.save(model), tensors, source, 20, ends, NullReporter())
    assert count == 20
    assert len(list(source)) == 30


@pytest.mark.parametrize("factor", [1000.0, -1000.0, 20.0])
def test_a_late_large_sample_widens_the_histogram(net: type[Net], bench: Bench, factor: float) -> None:
    model, tensors = plain(net)
    feeds = list(bench.feeds(model, 60))
    feeds[45] = {"image": np.full((1, 3, 8, 8), factor, np.float32)}
    kept: list[ranges.Histogram] = []

    def keep(histogram: ranges.Histogram) -> ranges.Range:
        kept.append(histogram)
        return histogram.ends()

    found, _ = calibrate(bench.save(model), tensors, feeds, 100, keep, NullReporter())
    for name, histogram in zip(tensors, kept, strict=True):
        values = seen(bench, model, tensors, feeds)[name]
        assert found[name] == pytest.approx((min(values.min(), 0), max(values.max(), 0)), abs=1.01 * histogram.step)
        assert int(histogram.counts.sum()) == values.size
        assert histogram.step < np.abs(values).max() / 1000


def test_what_is_zero_at_first_is_seen_later(net: type[Net], bench: Bench) -> None:
    model, tensors = plain(net)
    feeds = [{"image": np.zeros((1, 3, 8, 8), np.float32)} for _ in range(20)] + list(bench.feeds(model, 5))
    found, _ = calibrate(bench.save(model), tensors, feeds, 100, ends, NullReporter())
    values = seen(bench, model, tensors, feeds)["image"]
    assert found["image"] == pytest.approx((values.min(), values.max()), rel=1e-2)


def test_samples_that_would_mix_are_computed_alone(net: type[Net], bench: Bench) -> None:
    made = net()
    image = made.input("image", 1, 3, 8, 8)
    mean = made.node("ReduceMean", image, axes=[0], keepdims=1)
    apart = made.node("Sub", image, mean)
    model = made.model(made.conv(apart, 3, 4))
    found, _ = calibrate(bench.save(model), [apart], bench.feeds(model, 20), 100, ends, NullReporter())
    assert found[apart] == (0.0, 0.0)


def test_a_first_axis_that_is_fixed_inside_is_no_obstacle(net: type[Net], bench: Bench) -> None:
    made = net()
    image = made.input("image", 1, 3, 8, 8)
    flat = made.node("Reshape", image, made.constant(np.array([1, 192])))
    model = made.model(made.node("MatMul", flat, made.weight(192, 10)))
    feeds = list(bench.feeds(model, 20))
    found, count = calibrate(bench.save(model), [flat], feeds, 100, None, NullReporter())
    assert count == 20
    values = np.concatenate([feed["image"].ravel() for feed in feeds])
    assert found[flat] == pytest.approx((values.min(), values.max()))


def test_lengths_may_differ_from_sample_to_sample(net: type[Net], bench: Bench) -> None:
    made = net()
    tokens = made.input("tokens", 1, "length", kind=TensorProto.INT64)
    mask = made.input("mask", 1, "length")
    rows = made.node("Gather", made.weight(100, 16), tokens)
    product = made.node("MatMul", rows, made.weight(16, 4))
    model = made.model(made.node("Mul", product, made.node("Unsqueeze", mask, made.constant(np.array([2])))))
    draw = np.random.default_rng(0)
    feeds = [
        {"tokens": draw.integers(0, 100, (1, length)), "mask": np.ones((1, length), np.float32)}
        for length in (5, 5, 7, 7, 7, 1)
    ]
    found, count = calibrate(bench.save(model), [rows, product], feeds, 100, ends, NullReporter())
    assert count == 6
    assert found[rows][0] < 0 < found[rows][1]


def test_memory_holds_a_few_batches_however_many_samples(net: type[Net], bench: Bench) -> None:
    model, tensors = plain(net)
    alive: weakref.WeakSet[Tracked] = weakref.WeakSet()
    most = 0

    def samples() -> Iterator[Feeds]:
        nonlocal most
        for seed in range(12 * BATCH):
            array = np.random.default_rng(seed).standard_normal((1, 3, 8, 8)).astype(np.float32).view(Tracked)
            alive.add(array)
            gc.collect(0)
            most = max(most, len(alive))
            yield {"image": array}

    calibrate(bench.save(model), tensors, samples(), 1000, ends, NullReporter())
    assert most <= 3 * BATCH


class Tracked(np.ndarray):
    """An array that can be counted while it lives."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def test_no_samples_is_said(net: type[Net], bench: Bench) -> None:
    model, tensors = plain(net)
    with pytest.raises(DataRefused, match="no calibration samples"):
        calibrate(bench.save(model), tensors, [], 10, ends, NullReporter())


@pytest.mark.parametrize("rule", [None, ends])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_is_named_with_its_input(net: type[Net], bench: Bench, rule: object, value: float) -> None:
    model, tensors = plain(net)
    feeds = list(bench.feeds(model, 40))
    feeds[33]["image"][0, 1, 2, 3] = value
    with pytest.raises(DataRefused, match="input image"):
        calibrate(bench.save(model), tensors, feeds, 100, rule, NullReporter())  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", [None, ends])
@pytest.mark.parametrize(("operator", "kind"), [("Sqrt", "NaN"), ("Reciprocal", "infinite")])
def test_a_tensor_that_stops_being_finite_is_named(
    net: type[Net], bench: Bench, rule: object, operator: str, kind: str
) -> None:
    made = net()
    image = made.input("image", 1, 3, 8, 8)
    root = made.node(operator, image)
    model = made.model(made.conv(root, 3, 4))
    feeds = [{"image": np.ones((1, 3, 8, 8), np.float32)} for _ in range(40)]
    feeds[35]["image"][0, 0, 0, 0] = -1.0 if operator == "Sqrt" else 0.0
    with pytest.raises(ModelRefused, match=f"{root} becomes {kind}"):
        calibrate(bench.save(model), [image, root], feeds, 100, rule, NullReporter())  # type: ignore[arg-type]


def test_outputs_may_be_infinite_where_no_observed_tensor_is(net: type[Net], bench: Bench) -> None:
    made = net()
    image = made.input("image", 1, 3, 8, 8)
    relu = made.node("Relu", made.conv(image, 3, 4))
    model = made.model(made.node("Log", relu))
    found, _ = calibrate(bench.save(model), [image, relu], bench.feeds(model, 20), 100, ends, NullReporter())
    assert found[relu][1] > 0


@pytest.mark.parametrize("rule", [None, ends])
def test_a_mask_of_infinities_has_no_range_and_stops_nothing(net: type[Net], bench: Bench, rule: object) -> None:
    made = net()
    scores = made.node("MatMul", made.input("image", 1, 4, 4), made.weight(4, 4))
    hidden = made.constant(np.triu(np.full((4, 4), -np.inf, np.float32), 1))
    masked = made.node("Add", scores, hidden)
    model = made.model(made.node("Softmax", masked))
    found, count = calibrate(bench.save(model), [scores, masked], bench.feeds(model, 20), 100, rule, NullReporter())  # type: ignore[arg-type]
    assert count == 20
    assert set(found) == {scores}


def test_samples_of_the_wrong_shape_are_refused(net: type[Net], bench: Bench) -> None:
    model, tensors = plain(net)
    feeds = [{"image": np.zeros((1, 3, 9, 9), np.float32)}] * 3
    with pytest.raises(DataRefused, match="cannot run the model on a calibration sample"):
        calibrate(bench.save(model), tensors, feeds, 100, ends, NullReporter())


def test_progress_counts_samples(net: type[Net], bench: Bench) -> None:
    class Heard(NullReporter):
        def __init__(self) -> None:
            super().__init__()
            self.done: list[float] = []

        def progress(self, done: float, total: float | None = None, text: str = "") -> None:
            assert total == 40
            self.done.append(done)

    model, tensors = plain(net)
    heard = Heard()
    calibrate(bench.save(model), tensors, bench.feeds(model, 40), 40, ends, heard)
    assert heard.done[-1] == 40
    assert heard.done == sorted(heard.done)
