"""Channels that are removed: shapes fit whatever the graph is, and what was zero is not missed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.channel_graph import ChannelGraph
from edgetui.engine.compress.channel_shares import left_of
from edgetui.engine.compress.channel_walk import channel_graph
from edgetui.engine.compress.channels import cells_of, prune
from edgetui.engine.errors import ModelRefused, RecipeRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import counts, inspect
from edgetui.engine.measure.inputs import random_inputs
from edgetui.engine.schema.steps import PruneChannels
from edgetui.engine.system.reporter import NullReporter
from grown_nets import BLOCKS, grown
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kinds import NETS
from nodes import Bench, Net
from onnx import ModelProto, numpy_helper
from zoo import NETWORKS

PLAIN = {"statistics": False, "repair": False}


def silenced(model: ModelProto, graph: ChannelGraph, roots: set[int]) -> ModelProto:
    """The model with nothing coming out of these channels: weights by output, biases, scales of norms; no reader changes."""
    makers = {"Conv": (0,), "Gemm": (0,), "MatMul": (1,), "ConvTranspose": (1,)}
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name not in held or name not in graph.axes:
                continue
            if node.op_type in makers and place == 1:
                axes: tuple[int, ...] = makers[node.op_type]
            elif node.op_type in (*makers, "BatchNormalization", "InstanceNormalization") and place in (1, 2):
                axes = (0,)
            else:
                continue
            array = numpy_helper.to_array(held[name]).copy()
            for axis in axes:
                labels = graph.axes[name][axis]
                if labels is not None:
                    gone = np.isin(graph.classes.roots(labels), list(roots))
                    np.moveaxis(array, axis, 0)[gone] = 0
            held[name].CopyFrom(numpy_helper.from_array(array, name))
    return model


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=5),
    st.sampled_from([8, 12, 16]),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_channels_that_are_zero_are_not_missed(
    tmp_path: Path, blocks: list[str], channels: int, streams: bool, seed: int
) -> None:
    """By construction: with a quarter of every group's channels silent, removing a quarter changes no output."""
    bench = Bench(tmp_path)
    model = grown(blocks, channels, seed)
    graph = channel_graph(model)
    step = PruneChannels(amount=0.25, round_to=1, streams=streams, **PLAIN)
    cells = cells_of(graph, step, set(), NullReporter())
    draw = np.random.default_rng(seed)
    silent = {
        int(root)
        for cell in cells
        for root in draw.permutation(cell.roots)[: len(cell.roots) - left_of(len(cell.roots), cell.span, 0.25, 1, cell.spare)]
    }
    source, out = bench.save(silenced(model, graph, silent)), bench.folder / "o.onnx"
    if not silent:
        with pytest.raises(ModelRefused, match="no channel can be removed"):
            prune(step, source, out, None, NullReporter())
        return
    prune(step, source, out, None, NullReporter())
    onnx.checker.check_model(load(out), full_check=True)
    assert counts(load(out), {})[0] < counts(load(source), {})[0]
    for feed in bench.feeds(load(source), 2, seed):
        expected = bench.run(source, feed)[0]
        np.testing.assert_allclose(bench.run(out, feed)[0], expected, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


WHOLE, STREAMS_ALONE = {"captured", "inner_output", "moved"}, {"late_relu", "padded_shortcut"}
"""Of `NETS`, those with nothing to remove, and those with nothing but streams."""


@pytest.mark.parametrize("kind", sorted(NETS))
@pytest.mark.parametrize("streams", [False, True])
def test_every_kind_of_graph_stays_valid_and_keeps_its_outputs(net: type[Net], bench: Bench, kind: str, streams: bool) -> None:
    model = NETS[kind](net())
    source, out = bench.save(model), bench.folder / "o.onnx"
    step = PruneChannels(amount=0.5, streams=streams, round_to=2, **PLAIN)
    if kind in WHOLE or (not streams and kind in STREAMS_ALONE):
        with pytest.raises(ModelRefused, match="no channel can be removed"):
            prune(step, source, out, None, NullReporter())
        return
    prune(step, source, out, None, NullReporter())
    onnx.checker.check_model(load(out), full_check=True)
    assert (counts(load(out), {})[2] or 0) < (counts(model, {})[2] or 0)
    for feed in bench.feeds(load(source), 1):
        for got, expected in zip(bench.run(out, feed), bench.run(source, feed), strict=True):
            assert got.shape == expected.shape
            assert np.isfinite(got).all()


@pytest.mark.parametrize(
    ("count", "span", "amount", "round_to", "left"),
    [
        (64, 1, 0.25, 8, 48),
        (32, 1, 0.25, 8, 24),
        (16, 1, 0.25, 8, 12),
        (16, 1, 0.3, 8, 12),
        (20, 1, 0.25, 4, 16),
        (32, 2, 0.25, 8, 24),
        (10, 1, 0.25, 1, 8),
        (4, 1, 1.0, 1, 1),
        (7, 1, 0.0, 8, 7),
        (3, 1, 0.25, 8, 3),
    ],
)
def test_how_many_stay(count: int, span: int, amount: float, round_to: int, left: int) -> None:
    assert left_of(count, span, amount, round_to) == left


def small(net: type[Net], bench: Bench) -> Path:
    made = net()
    x = made.node("Relu", made.conv(made.input("image", 1, 3, 8, 8), 3, 16, name="first"))
    x = made.node("Relu", made.conv(x, 16, 16, name="second"))
    return bench.save(made.model(made.conv(x, 16, 4, name="last")))


@pytest.mark.parametrize(("norm", "power"), [("l1", 1), ("l2", 2)])
def test_the_smallest_by_norm_go(net: type[Net], bench: Bench, norm: str, power: int) -> None:
    source, out = small(net, bench), bench.folder / "o.onnx"
    prune(PruneChannels(amount=0.5, round_to=1, norm=norm, **PLAIN), source, out, None, NullReporter())
    before, after = weights(load(source)), weights(load(out))
    sizes = (np.abs(before[0].array()) ** power).reshape(16, -1).sum(axis=1)
    stay = np.sort(np.argsort(sizes, kind="stable")[8:])
    assert (after[0].array() == before[0].array()[stay]).all()
    assert after[2].shape == (4, 8, 3, 3)


def test_an_amount_for_each_group_and_layers_that_are_kept(net: type[Net], bench: Bench) -> None:
    source, out, say = small(net, bench), bench.folder / "o.onnx", NullReporter()
    prune(PruneChannels(amount=0.25, amounts={"sec*": 0.5}, round_to=1, **PLAIN), source, out, None, say)
    assert [weight.shape[:2] for weight in weights(load(out))] == [(12, 3), (8, 12), (4, 8)]
    assert any(note.startswith("last is left whole: output") for note in say.notes)
    prune(PruneChannels(amount=0.25, keep=("first",), round_to=1, **PLAIN), source, out, None, NullReporter())
    assert [weight.shape[:2] for weight in weights(load(out))] == [(16, 3), (12, 16), (4, 12)]
    with pytest.raises(RecipeRefused, match=r"`third` of `amounts` matches no layer"):
        prune(PruneChannels(amounts={"third": 0.5}, **PLAIN), source, out, None, NullReporter())
    with pytest.raises(RecipeRefused, match="`third` matches no node"):
        prune(PruneChannels(keep=("third",), **PLAIN), source, out, None, NullReporter())


def test_what_cannot_be_followed_is_left_whole_and_named(net: type[Net], bench: Bench) -> None:
    made = net()
    x = made.node("Relu", made.conv(made.input("image", 1, 3, 8, 8), 3, 16, name="free"))
    x = made.conv(x, 16, 16, name="met")
    x = made.node("DepthToSpace", x, blocksize=2, name="odd")
    source, out, say = bench.save(made.model(made.conv(x, 4, 4, name="last"))), bench.folder / "o.onnx", NullReporter()
    prune(PruneChannels(amount=0.5, round_to=1, **PLAIN), source, out, None, say)
    assert "met is left whole: DepthToSpace odd cannot be followed" in say.notes
    assert [weight.shape[0] for weight in weights(load(out))] == [8, 16, 4]


def test_streams_are_kept_unless_they_are_asked_for(net: type[Net], bench: Bench) -> None:
    source, out, say = bench.save(NETS["residual"](net())), bench.folder / "o.onnx", NullReporter()
    prune(PruneChannels(amount=0.5, round_to=1, **PLAIN), source, out, None, say)
    assert sum("a residual stream" in note for note in say.notes) >= 2
    assert [weight.shape[0] for weight in weights(load(out))].count(16) >= 2
    prune(PruneChannels(amount=0.5, round_to=1, streams=True, **PLAIN), source, out, None, NullReporter())
    assert 16 not in [weight.shape[0] for weight in weights(load(out))]


@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("repair", [False, True])
def test_statistics_and_repair_bring_outputs_nearer(net: type[Net], bench: Bench, statistics: bool, repair: bool) -> None:
    """And where nothing is asked of the samples nothing changes: that is the control."""
    made = net()
    x = made.node("Relu", made.conv(made.input("image", 1, 3, 8, 8), 3, 16))
    figures = [made.constant((np.abs(made.draw.standard_normal(16)) + 0.3).astype(np.float32)) for _ in range(4)]
    x = made.node("BatchNormalization", made.node("Relu", made.conv(x, 16, 16)), *figures)
    x = made.node("Flatten", made.node("GlobalAveragePool", made.node("Relu", made.conv(x, 16, 16))))
    model = made.model(made.node("Gemm", x, made.weight(10, 16), made.weight(10), transB=1))
    source, bare, out = bench.save(model), bench.folder / "bare.onnx", bench.folder / "o.onnx"
    feeds = list(bench.feeds(model, 60, 1))
    prune(PruneChannels(amount=0.25, round_to=1, **PLAIN), source, bare, None, NullReporter())
    step = PruneChannels(amount=0.25, round_to=1, statistics=statistics, repair=repair)
    prune(step, source, out, feeds if step.need != "none" else None, NullReporter())

    def error(path: Path) -> float:
        tried = bench.feeds(model, 30, 7)
        return float(np.mean([np.mean((bench.run(path, feed)[0] - bench.run(source, feed)[0]) ** 2) for feed in tried]))

    assert error(out) < 0.6 * error(bare) if statistics or repair else error(out) == error(bare)
    assert [weight.shape for weight in weights(load(out))] == [weight.shape for weight in weights(load(bare))]


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_whole_networks_lose_channels_and_are_repaired(tmp_path: Path, kind: str) -> None:
    """Encoders, detectors, products of every kind: valid, with the shapes that they had; recurrent ones are left whole."""
    source, out, say = tmp_path / "n.onnx", tmp_path / "o.onnx", NullReporter()
    facts = inspect(NETWORKS[kind](tmp_path / "m.onnx", 17), {})
    normalise(tmp_path / "m.onnx", source, facts.shapes, say)
    feeds = [random_inputs(facts.inputs, facts.shapes, seed) for seed in range(4)]
    step = PruneChannels(amount=0.5, round_to=2, streams=True)
    if kind == "recurrent":
        with pytest.raises(ModelRefused, match="no channel can be removed"):
            prune(step, source, out, feeds, say)
        return
    prune(step, source, out, feeds, say)
    onnx.checker.check_model(load(out), full_check=True)
    for got, expected in zip(Bench(tmp_path).run(out, feeds[0]), Bench(tmp_path).run(source, feeds[0]), strict=True):
        assert got.shape == expected.shape
        assert np.isfinite(got).all()


def test_the_face_detector_loses_a_fifth_of_its_work(shared: Path, tmp_path: Path) -> None:
    source, out, say = tmp_path / "n.onnx", tmp_path / "o.onnx", NullReporter()
    normalise(shared / "models" / "ultraface_rfb320.onnx", source, {}, say)
    prune(PruneChannels(amount=0.25, **PLAIN), source, out, None, say)
    before, after = counts(load(source), {})[2], counts(load(out), {})[2]
    assert after is not None
    assert before is not None
    assert after < 0.8 * before
    feed = {"input": np.random.default_rng(0).standard_normal((1, 3, 240, 320)).astype(np.float32)}
    bench = Bench(tmp_path)
    assert [array.shape for array in bench.run(out, feed)] == [array.shape for array in bench.run(source, feed)]
