"""Of every m weights n: the pattern, the order of channels in which it costs least, and that this order changes no output."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from edgetui.engine.compress.layer_rows import linear_layers
from edgetui.engine.compress.n_of_m import pattern, prune
from edgetui.engine.compress.permutation import best_order, kept_magnitude, permute
from edgetui.engine.errors import ModelRefused, RecipeRefused
from edgetui.engine.graph.load import load, save
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.pattern import two_of_four
from edgetui.engine.graph.weights import weights
from edgetui.engine.schema.step import Kernels
from edgetui.engine.schema.steps import PruneNm
from edgetui.engine.system.reporter import NullReporter
from grown_nets import BLOCKS, grown
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from nodes import Bench, Net


def network(net: type[Net], bench: Bench) -> Path:
    made = net()
    x = made.node("Relu", made.conv(made.input("image", 1, 3, 8, 8), 3, 16, name="first"))
    x = made.node("Relu", made.conv(x, 16, 16, name="second"))
    x = made.node("Flatten", made.node("GlobalAveragePool", made.node("Relu", made.conv(x, 16, 16, group=4, name="grouped"))))
    x = made.node("Gemm", x, made.weight(8, 16), made.weight(8), transB=1, name="fc")
    return bench.save(made.model(made.node("MatMul", x, made.weight(8, 5), name="last")))


def test_the_largest_stay_and_the_first_of_equal() -> None:
    rows = np.array([[1, -4, 3, 2, 5, 5, -5, 5], [0, 0, 0, 0, 1, 2, 3, -4]], np.float32)
    expected = [[0, 1, 1, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 1, 1]]
    assert pattern(rows, 1, 2, 4).astype(int).tolist() == expected
    assert pattern(rows.T, 0, 2, 4).astype(int).T.tolist() == expected
    assert pattern(rows, 1, 1, 8).sum(axis=1).tolist() == [1, 1]


@pytest.mark.parametrize("permuted", [False, True])
@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (4, 8)])
def test_every_layer_that_can_has_the_pattern(net: type[Net], bench: Bench, permuted: bool, n: int, m: int) -> None:
    source, out, say = network(net, bench), bench.folder / "o.onnx", NullReporter()
    line = prune(PruneNm(n=n, m=m, permute=permuted), source, out, None, say)
    assert line.startswith(f"{n} of {m} in 3 tensors, {100 * (1 - n / m):.1f} % of their weights zero")
    for weight in weights(load(out)):
        array = np.moveaxis(weight.array(), weight.input_axis or 0, -1)
        if weight.nodes[0] in ("second", "fc", "last"):
            assert (np.count_nonzero(array.reshape(-1, m), axis=1) <= n).all()
        else:
            assert np.count_nonzero(array) == array.size
    assert any("stay as they are: no multiple" in note for note in say.notes)
    if (n, m) == (2, 4):
        assert two_of_four(out) == 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=5), st.sampled_from([8, 16]), st.integers(0, 10**6))
@example(["padded", "grouped"], 8, 0)  # groups join channels with the padding beside them
def test_another_order_of_channels_changes_no_output(tmp_path: Path, blocks: list[str], channels: int, seed: int) -> None:
    bench = Bench(tmp_path)
    source, out = bench.save(grown(blocks, channels, seed)), bench.folder / "o.onnx"
    model = load(source)
    permute(model, linear_layers(model, weights(model)).values(), 2, 4)
    save(model, out)
    for feed in bench.feeds(load(source), 1, seed):
        expected = bench.run(source, feed)[0]
        np.testing.assert_allclose(bench.run(out, feed)[0], expected, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


def test_an_order_that_loses_nothing_is_found() -> None:
    """Half of the channels are large and stand together: spread over the groups, all of them stay."""
    rows = np.abs(np.random.default_rng(0).standard_normal((50, 16))).astype(np.float32) + np.repeat([100, 0], 8)
    order = best_order(rows, 2, 4)
    assert sorted(order.tolist()) == list(range(16))
    assert kept_magnitude(rows[:, order], 2, 4) >= rows[:, :8].sum(dtype=np.float64) > kept_magnitude(rows, 2, 4)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_an_order_is_never_worse(groups: int, seed: int) -> None:
    rows = np.abs(np.random.default_rng(seed).standard_normal((20, 4 * groups))).astype(np.float32)
    assert kept_magnitude(rows[:, best_order(rows, 2, 4)], 2, 4) >= kept_magnitude(rows, 2, 4)


def test_where_no_order_is_better_none_is_claimed(net: type[Net], bench: Bench) -> None:
    """The control: weights of one magnitude."""
    source = network(net, bench)
    model = load(source)
    for weight in weights(model):
        weight.write(np.sign(weight.array()) * np.float32(0.1))
    line = prune(PruneNm(), bench.save(model), bench.folder / "o.onnx", None, NullReporter())
    assert line.endswith("50.00 % of the magnitude kept")


def test_repair_after_another_order(net: type[Net], bench: Bench) -> None:
    source, plain, mended = network(net, bench), bench.folder / "p.onnx", bench.folder / "r.onnx"
    feeds = list(bench.feeds(load(source), 60, 1))
    prune(PruneNm(), source, plain, None, NullReporter())
    prune(PruneNm(repair=True), source, mended, feeds, NullReporter())
    errors = [
        np.mean([np.mean((bench.run(path, feed)[0] - bench.run(source, feed)[0]) ** 2) for feed in feeds])
        for path in (plain, mended)
    ]
    assert errors[1] < 0.5 * errors[0]
    assert two_of_four(mended) == 3


def test_only_exclude_and_what_is_refused(net: type[Net], bench: Bench) -> None:
    source, out = network(net, bench), bench.folder / "o.onnx"
    prune(PruneNm(only=("Conv",)), source, out, None, NullReporter())
    assert two_of_four(out) == 1
    prune(PruneNm(exclude=("Conv", "fc")), source, out, None, NullReporter())
    assert two_of_four(out) == 1
    with pytest.raises(ModelRefused, match="a multiple of 4 input channels"):
        prune(PruneNm(only=("first",)), source, out, None, NullReporter())
    with pytest.raises(RecipeRefused, match="`head` matches no node"):
        prune(PruneNm(exclude=("head",)), source, out, None, NullReporter())
    with pytest.raises(msgspec.ValidationError, match="less than"):
        msgspec.convert({"method": "prune.nm", "n": 4, "m": 4}, PruneNm)


def test_what_it_cannot_win_follows_from_the_backend() -> None:
    assert "no plan faster" in PruneNm().cannot_win((), Kernels())
    assert "wide layers only" in PruneNm().cannot_win((), Kernels(sparse=True))
    assert "no plan faster" in PruneNm(n=1).cannot_win((), Kernels(sparse=True))


def test_a_real_model(shared: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "n.onnx", tmp_path / "o.onnx"
    normalise(shared / "models" / "resnet20_cifar10.onnx", source, {"image": (1, 3, 32, 32)}, NullReporter())
    line = prune(PruneNm(), source, out, None, NullReporter())
    assert line.startswith("2 of 4 in 19 tensors, 50.0 % of their weights zero, 76.")
    assert "(75.60 % without another order of 10 sets of channels)" in line
    assert two_of_four(out) == 19
