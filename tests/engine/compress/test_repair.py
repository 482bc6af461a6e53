"""Least squares of one layer after another: against numpy's own, and on a model whose outputs it must bring back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.compress import least_squares
from edgetui.engine.compress import repair as repairs
from edgetui.engine.compress.layer_rows import linear_layers
from edgetui.engine.compress.least_squares import RIDGE, NormalEquations
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.errors import DataRefused, ModelRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import weights
from edgetui.engine.schema.steps import PruneMagnitude
from edgetui.engine.system.reporter import NullReporter
from hypothesis import given, settings
from hypothesis import strategies as st
from nodes import Bench, Net


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.booleans())
def test_solutions_are_those_of_numpy(seed: int, groups: int, masked: bool) -> None:
    draw = np.random.default_rng(seed)
    x, y = draw.standard_normal((groups, 60, 7)), draw.standard_normal((groups, 60, 4))
    start = draw.standard_normal((groups, 4, 7)).astype(np.float32)
    kept = draw.random(start.shape) < 0.6 if masked else np.ones(start.shape, np.bool_)
    start[~kept] = 0
    sums = NormalEquations(groups, 7, 4)
    for part in range(3):
        rows = slice(20 * part, 20 * part + 20)
        sums.add(x[:, rows].astype(np.float32), y[:, rows].astype(np.float32))
    found = sums.solved(start, kept if masked else None)
    for group in range(groups):
        for row in range(4):
            there = kept[group, row]
            pulled = np.sqrt(RIDGE * np.trace(x[group].T @ x[group]) / 7) * np.eye(7)[:, there]
            rows = np.vstack([x[group][:, there], pulled])
            left = y[group][:, row] - x[group] @ start[group, row]
            expected = np.linalg.lstsq(rows, np.concatenate([left, np.zeros(7)]), rcond=None)[0] + start[group, row, there]
            np.testing.assert_allclose(found[group, row, there], expected, rtol=2e-3, atol=2e-3)
            assert not found[group, row, ~there].any()


@pytest.mark.parametrize("small", [4, 100])
@pytest.mark.parametrize("masked", [True, False])
def test_sums_of_rows_serve_other_targets(monkeypatch: pytest.MonkeyPatch, small: int, masked: bool) -> None:
    """To the bit what sums of their own give, whether they are solved in doubles or in place."""
    monkeypatch.setattr(least_squares, "_SMALL", small)
    draw = np.random.default_rng(3)
    x, *targets = (draw.standard_normal((2, 40, size)).astype(np.float32) for size in (7, 4, 4))
    start = draw.standard_normal((2, 4, 7)).astype(np.float32)
    kept = draw.random(start.shape) < 0.6 if masked else None
    sums = NormalEquations(2, 7, 4)
    for number, y in enumerate(targets):
        alone = NormalEquations(2, 7, 4)
        for one in (sums, alone):
            for part in (slice(0, 15), slice(15, 40)):
                one.add(x[:, part], y[:, part])
        found = sums.solved(start, kept, last=number == 1)
        np.testing.assert_array_equal(found, alone.solved(start, kept))
        sums.begin_again()


FORMS = {
    "plain": {},
    "strided": {"strides": [2, 1], "pads": [1, 0, 2, 1]},
    "dilated": {"dilations": [2, 1], "pads": [2, 2, 2, 2]},
    "grouped": {"group": 2},
    "depthwise": {"group": 4},
    "upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2], "pads": None},
    "lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2], "pads": None},
    "valid": {"auto_pad": "VALID", "pads": None},
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_times_weights_are_what_the_convolution_gives(net: type[Net], bench: Bench, form: str) -> None:
    made = net()
    x = made.input("x", 2, 4, 9, 7)
    given_ = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], **FORMS[form]}
    kernel = made.weight(8, 4 // int(given_.get("group", 1)), 3, 3)
    y = made.node("Conv", x, kernel, **{name: value for name, value in given_.items() if value is not None})
    model = made.model(y)
    (layer,) = linear_layers(model, weights(model)).values()
    feed = next(bench.feeds(model, 1))
    targets = layer.targets(bench.run(model, feed)[0], None)
    places = np.array([0, 3, len(targets) - 1])
    rows = layer.rows(feed["x"], places)
    matrix = layer.matrix(layer.weight.array())
    got = (rows @ matrix.transpose(0, 2, 1)).transpose(1, 0, 2).reshape(3, -1)
    np.testing.assert_allclose(got, targets[places], atol=1e-5)
    assert (layer.stored(matrix) == layer.weight.array()).all()


def chain(net: type[Net], bench: Bench) -> Path:
    """Layers whose inputs are redundant: half of the weights can do what all of them did."""
    made = net()
    x = made.node("Relu", made.conv(made.input("image", 1, 3, 12, 12), 3, 8))
    y = made.node("Relu", made.conv(x, 8, 16))
    x = made.node("Relu", made.node("Add", made.conv(y, 16, 8), x))
    x = made.node("Flatten", made.node("GlobalAveragePool", x))
    x = made.node("Gemm", x, made.weight(8, 12), made.weight(12))
    return bench.save(made.model(made.node("MatMul", made.node("Relu", x), made.weight(12, 5))))


def error(bench: Bench, one: Path, other: Path) -> float:
    return float(
        np.mean([np.mean((bench.run(one, f)[0] - bench.run(other, f)[0]) ** 2) for f in bench.feeds(load(one), 40, 5)])
    )


@pytest.mark.parametrize("amount", [0.3, 0.6])
def test_repair_brings_outputs_nearer_and_leaves_zeros(net: type[Net], bench: Bench, amount: float) -> None:
    source, plain, mended = chain(net, bench), bench.folder / "plain.onnx", bench.folder / "mended.onnx"
    prune(PruneMagnitude(amount=amount), source, plain, None, NullReporter())
    feeds = list(bench.feeds(load(source), 60, 1))
    line = prune(PruneMagnitude(amount=amount, repair=True), source, mended, feeds, NullReporter())
    assert line.endswith("5 layers repaired on 60 samples")
    assert error(bench, source, mended) < 0.5 * error(bench, source, plain)
    for before, after in zip(weights(load(plain)), weights(load(mended)), strict=True):
        assert ((before.array() == 0) == (after.array() == 0)).all()


@pytest.mark.parametrize(("many", "said"), [(4, "fewer rows than"), (16, "are few"), (40, "")])
def test_few_samples_are_warned_of(net: type[Net], bench: Bench, many: int, said: str) -> None:
    """Of four, the last two layers have as many rows for their 8 and 12 inputs; of sixteen all have enough."""
    source, say = chain(net, bench), NullReporter()
    prune(PruneMagnitude(amount=0.3, repair=True), source, bench.folder / "o.onnx", list(bench.feeds(load(source), many)), say)
    assert [said in text for text in say.warnings] == ([True] if said else [])
    assert not said or say.warnings[0].startswith(f"{many} samples ")


@pytest.mark.parametrize("behind", ["Relu", "Sigmoid"])
def test_what_a_relu_hides_need_not_be_right(
    net: type[Net], bench: Bench, monkeypatch: pytest.MonkeyPatch, behind: str
) -> None:
    """Behind it the error on what was looked at is smaller than that of one solution; before anything else there is one."""
    made = net()
    kernel, low = made.weight(8, 12, 3, 3), made.constant(np.full(8, -1.0))
    x = made.node(behind, made.conv(made.input("image", 1, 3, 12, 12), 3, 12))
    x = made.node("Conv", x, kernel, low, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    source = bench.save(made.model(made.node(behind, x)))
    feeds, errors = list(bench.feeds(load(source), 18, 1)), []
    for bent in (0, 2):
        monkeypatch.setattr(repairs, "_BENT", bent)
        prune(PruneMagnitude(amount=0.7, repair=True), source, bench.folder / "out.onnx", feeds, NullReporter())
        found = [bench.run(source, feed)[0] - bench.run(bench.folder / "out.onnx", feed)[0] for feed in feeds]
        errors.append(float(np.mean(np.square(found))))
    assert errors[1] < 0.95 * errors[0] if behind == "Relu" else errors[1] == errors[0]


def test_what_was_not_changed_is_not_changed_by_repair(net: type[Net], bench: Bench) -> None:
    """The control: with nothing pruned there is nothing to win, and outputs stay."""
    source, mended = chain(net, bench), bench.folder / "mended.onnx"
    prune(PruneMagnitude(amount=0.0, repair=True), source, mended, list(bench.feeds(load(source), 30, 1)), NullReporter())
    for feed in bench.feeds(load(source), 5, 9):
        np.testing.assert_allclose(bench.run(mended, feed)[0], bench.run(source, feed)[0], atol=1e-4)


def test_large_models_are_repaired_from_files(net: type[Net], bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    source = chain(net, bench)
    feeds = list(bench.feeds(load(source), 20, 1))
    results = []
    for held in (repairs._HELD_BYTES, 1):
        monkeypatch.setattr(repairs, "_HELD_BYTES", held)
        out = bench.folder / f"{held}.onnx"
        prune(PruneMagnitude(amount=0.5, repair=True), source, out, feeds, NullReporter())
        results.append([weight.array() for weight in weights(load(out))])
    assert all((one == other).all() for one, other in zip(*results, strict=True))
    assert not [path for path in bench.folder.iterdir() if path.is_dir()]


def test_a_layer_that_cannot_be_fitted_is_named_and_left(net: type[Net], bench: Bench) -> None:
    made = net()
    kernel = made.weight(4, 4, 3, 3)
    x = made.input("image", 1, 4, 8, 8)
    for _ in range(2):
        x = made.node("Relu", made.node("Conv", x, kernel, pads=[1, 1, 1, 1], name=f"shared{len(made.nodes)}"))
    source = bench.save(made.model(made.conv(x, 4, 2)))
    say = NullReporter()
    line = prune(PruneMagnitude(amount=0.7, repair=True), source, bench.folder / "o.onnx", bench.feeds(load(source), 9), say)
    assert line.endswith("1 layers repaired on 9 samples")
    assert any("repair leaves shared0, shared2" in note for note in say.notes)


def test_no_samples_and_samples_that_are_not_numbers_are_refused(net: type[Net], bench: Bench) -> None:
    source, out, step = chain(net, bench), bench.folder / "o.onnx", PruneMagnitude(amount=0.5, repair=True)
    with pytest.raises(DataRefused, match="no calibration samples"):
        prune(step, source, out, [], NullReporter())
    with pytest.raises(ModelRefused, match="becomes NaN or infinite"):
        prune(step, source, out, [{"image": np.full((1, 3, 12, 12), np.inf, np.float32)}], NullReporter())
    assert not out.exists()


@pytest.mark.long
def test_a_real_model(shared: Path, tmp_path: Path) -> None:
    """Half of a ResNet-20's weights: what it says of photographs is nearer to the original with repair than without."""
    source, draw = shared / "models" / "resnet20_cifar10.onnx", np.random.default_rng(0)
    feeds = [{"image": draw.standard_normal((1, 3, 32, 32)).astype(np.float32)} for _ in range(24)]
    bench = Bench(tmp_path)
    found = []
    for repair in (False, True):
        out = tmp_path / f"{repair}.onnx"
        prune(PruneMagnitude(amount=0.5, scope="global", repair=repair), source, out, feeds, NullReporter())
        found.append(np.mean([np.mean((bench.run(out, f)[0] - bench.run(source, f)[0]) ** 2) for f in feeds]))
    assert found[1] < 0.5 * found[0]


@pytest.mark.parametrize("size", [7, 8, 20])
def test_wide_layers_are_solved_in_blocks_to_the_same_weights(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    draw = np.random.default_rng(4)
    x = (draw.standard_normal((2, 30, size)) * np.exp(draw.standard_normal(size))).astype(np.float32)
    y = (x @ draw.standard_normal((size, 5)) + draw.standard_normal((2, 30, 5))).astype(np.float32)
    start = draw.standard_normal((2, 5, size)).astype(np.float32)
    found = []
    for small, block in ((size, size), (4, 8)):
        monkeypatch.setattr(least_squares, "_SMALL", small)
        monkeypatch.setattr(least_squares, "_BLOCK", block)
        sums = NormalEquations(2, size, 5)
        sums.add(x, y)
        found.append(sums.solved(start, None))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-4)
    assert np.abs(found[0] - start).max() > 0.1
