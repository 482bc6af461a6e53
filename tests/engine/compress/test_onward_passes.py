"""Passes that go on from where one before them was: they give what whole passes give, and compute less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.compress import observe, onward_passes
from edgetui.engine.compress.kept_samples import KeptSamples, kept_samples
from edgetui.engine.compress.observe import Inner
from edgetui.engine.compress.onward_passes import OnwardPasses
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import weights
from nodes import Bench, Net
from onnx import ModelProto


def residual(net: type[Net], bench: Bench, *, batches: bool = True) -> Path:
    """A block with a shortcut of its own, one without, and what reads both; it `batches`: several samples may go at once."""
    made = net()
    x = made.node("Relu", made.conv(made.input("image", 1, 3, 8, 8), 3, 4))
    y = made.conv(made.node("Relu", made.conv(x, 4, 6)), 6, 8)
    x = made.node("Relu", made.node("Add", y, made.conv(x, 4, 8, 1)))
    x = made.node("Add", made.conv(made.node("Relu", made.conv(x, 8, 8)), 8, 8), x)
    x = made.node("GlobalAveragePool", x)
    flat = made.node("Flatten", x) if batches else made.node("Reshape", x, made.constant(np.array([1, 8])))
    return bench.save(made.model(made.node("MatMul", flat, made.weight(8, 5))))


def whole(model: ModelProto, tensors: list[str], samples: KeptSamples) -> list[list[np.ndarray]]:
    session = Inner(model, tensors, batched=samples.batched)
    return [session.run(feeds) for feeds in samples]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many nodes each session has, when whatever is alive is worth keeping."""
    monkeypatch.setattr(onward_passes, "_MACS_A_BYTE", 0)
    sizes: list[int] = []
    plain = observe.leading_to

    def counted(*given: object) -> ModelProto:
        part = plain(*given)  # type: ignore[arg-type]
        sizes.append(len(part.graph.node))
        return part

    monkeypatch.setattr(observe, "leading_to", counted)
    return sizes


@pytest.mark.parametrize("batches", [True, False])
def test_layers_first_to_last_are_given_what_whole_passes_give(
    net: type[Net], bench: Bench, eager: list[int], batches: bool
) -> None:
    source = residual(net, bench, batches=batches)
    with kept_samples(source, bench.feeds(load(source), 5), 5, bench.folder) as samples:
        assert samples.batched == batches
        model = load(source)
        passes, made, before = OnwardPasses(model, samples), [node.output[0] for node in model.graph.node], 0
        for at, node in enumerate(model.graph.node):
            if node.op_type not in ("Conv", "MatMul"):
                continue
            # what is behind the place changes from one pass to the next, as it does when layers are fitted
            later = {other.input[1] for other in model.graph.node[at:] if other.op_type in ("Conv", "MatMul")}
            for weight in weights(model):
                if weight.name in later:
                    weight.write(weight.array() * np.float32(1.25))
            eager.clear()
            found = list(passes.each(model, [node.input[0], made[-1]], node.output[0]))
            assert eager[0] == len(made) - before
            for one, other in zip(found, whole(model, [node.input[0], made[-1]], samples), strict=True):
                for a, b in zip(one, other, strict=True):
                    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
            before = at


def test_what_lies_before_the_place_is_computed_from_the_beginning(net: type[Net], bench: Bench, eager: list[int]) -> None:
    source = residual(net, bench)
    with kept_samples(source, bench.feeds(load(source), 4), 4, bench.folder) as samples:
        model = load(source)
        made, passes = [node.output[0] for node in model.graph.node], OnwardPasses(model, samples)
        list(passes.each(model, [made[-1]], made[9]))
        found = [one[0] for one in passes.each(model, [made[1]], made[9])]
        for one, other in zip(found, whole(model, [made[1]], samples), strict=True):
            np.testing.assert_allclose(one, other[0], rtol=1e-5)


@pytest.mark.parametrize("limit", ["_MACS_A_BYTE", "_MOST_BYTES"])
def test_nothing_is_kept_that_costs_more_than_it_saves(
    net: type[Net], bench: Bench, eager: list[int], monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(onward_passes, limit, 10**9 if limit == "_MACS_A_BYTE" else 10)
    source = residual(net, bench)
    with kept_samples(source, bench.feeds(load(source), 4), 4, bench.folder) as samples:
        model = load(source)
        made, passes = [node.output[0] for node in model.graph.node], OnwardPasses(model, samples)
        for _ in range(2):
            eager.clear()
            list(passes.each(model, [made[-1]], made[9]))
            assert eager == [len(made)]
        assert not [path for path in samples.folder.rglob("*") if path.parent != samples.folder]


def test_without_room_passes_begin_at_the_inputs(
    net: type[Net], bench: Bench, eager: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = residual(net, bench)
    with kept_samples(source, bench.feeds(load(source), 4), 4, bench.folder) as samples:
        model = load(source)
        made, passes = [node.output[0] for node in model.graph.node], OnwardPasses(model, samples)
        (passes._folder / "0").mkdir()  # no file can be there
        for _ in range(2):
            found = [one[0] for one in passes.each(model, [made[-1]], made[9])]
            for one, other in zip(found, whole(model, [made[-1]], samples), strict=True):
                np.testing.assert_allclose(one, other[0], rtol=1e-5)
