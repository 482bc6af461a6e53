"""What a search is told of groups is what the step does: multiplications, one share for all, a group alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.compress.channels import prune
from edgetui.engine.compress.grouped_channels import GroupedChannels
from edgetui.engine.compress.kept_samples import kept_samples
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph.load import load
from edgetui.engine.inspection.inspect import counts
from edgetui.engine.schema.channel_table import ChannelTable
from edgetui.engine.schema.steps import PruneChannels
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net
from onnx import ModelProto, numpy_helper


def model_of() -> ModelProto:
    """Convolutions of 32, 32 and 16 channels, one of which adds to another's, and a Concat whose parts one layer reads."""
    net = Net()
    x = net.node("Relu", net.conv(net.input("image", 1, 3, 12, 12), 3, 32))
    y = net.node("Relu", net.conv(x, 32, 32))
    z = net.node("Relu", net.conv(y, 32, 16))
    both = net.node("Concat", net.node("Relu", net.conv(z, 16, 16)), z, axis=1)
    x = net.node("Flatten", net.node("GlobalAveragePool", net.node("Relu", net.conv(both, 32, 16))))
    return net.model(net.node("Gemm", x, net.weight(5, 16), net.weight(5), transB=1))


def feeds(count: int = 64) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(0)
    return [{"image": draw.normal(size=(1, 3, 12, 12)).astype(np.float32)} for _ in range(count)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Bench(tmp_path).save(model_of())


def grouped(step: PruneChannels, source: Path) -> tuple[GroupedChannels, ChannelTable]:
    with kept_samples(source, feeds(), 64, source.parent) as samples:
        groups = GroupedChannels(step, source, samples, NullReporter())
        return groups, groups.table


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_multiplications_are_foretold(source: Path, share: float):
    step = PruneChannels(round_to=1)
    _, table = grouped(step, source)
    assert table.macs_of({}) == counts(load(source), {})[2]
    for amounts in ({each.name: share for each in table.groups}, {table.groups[1].name: share}):
        out = source.with_name("o.onnx")
        prune(PruneChannels(amount=0.0, amounts=amounts, round_to=1), source, out, feeds(), NullReporter())
        assert table.macs_of(amounts) == pytest.approx(counts(load(out), {})[2])


@pytest.mark.parametrize("round_to", [1, 8])
def test_one_share_for_all_is_what_the_step_does(source: Path, round_to: int):
    step = PruneChannels(amount=0.25, round_to=round_to)
    _, table = grouped(step, source)
    even = next(each.shares for each in table.even if each.amount == 0.25)
    outs = source.with_name("one.onnx"), source.with_name("own.onnx")
    prune(step, source, outs[0], feeds(), NullReporter())
    prune(PruneChannels(amount=0.0, amounts=even, round_to=round_to), source, outs[1], feeds(), NullReporter())
    held = [{each.name: numpy_helper.to_array(each) for each in load(out).graph.initializer} for out in outs]
    assert held[0].keys() == held[1].keys()
    for name, array in held[0].items():
        np.testing.assert_array_equal(array, held[1][name])


def test_shares_leave_whole_blocks(source: Path):
    _, table = grouped(PruneChannels(round_to=16), source)
    assert {each.shares for each in table.groups if each.channels == 32} == {(0.0, 0.25, 0.5)}
    assert {each.shares for each in table.groups if each.channels == 16} == {(0.0, 0.25, 0.5)}
    assert all(share <= 0.5 for each in table.groups for share in each.shares)


def test_one_group_alone_is_cut_and_its_readers_are_fitted(source: Path):
    step = PruneChannels(round_to=1)
    with kept_samples(source, feeds(), 64, source.parent) as samples:
        groups = GroupedChannels(step, source, samples, NullReporter())
        group = groups.table.groups[0]
        cut = groups.with_share(group.name, 0.5, source.with_name("cut.onnx"))
    before, after = ({n.output[0]: s for n, s in _weights(model)} for model in (load(source), cut))
    changed = [name for name, weight in before.items() if weight.shape != after[name].shape]
    assert len(changed) == 2, "the layer that makes it, and the one that reads it"
    assert sum(after[name].size for name in after) < sum(before[name].size for name in before)
    same = [name for name in before if name not in changed]
    assert all(np.array_equal(before[name], after[name]) for name in same)


def _weights(model: ModelProto):
    held = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    return [(node, held[node.input[1]]) for node in model.graph.node if node.op_type in ("Conv", "Gemm")]


def test_layers_that_share_channels_are_one_group(tmp_path: Path):
    net = Net()
    x = net.node("Relu", net.conv(net.input("image", 1, 3, 12, 12), 3, 16))
    y = net.node("Add", net.conv(x, 16, 16), net.conv(x, 16, 16))
    x = net.node("Flatten", net.node("GlobalAveragePool", net.node("Relu", y)))
    source = Bench(tmp_path).save(net.model(net.node("Gemm", x, net.weight(5, 16), net.weight(5), transB=1)))
    _, table = grouped(PruneChannels(round_to=1, streams=True), source)
    assert sorted(len(each.layers) for each in table.groups) == [1, 2]


def test_a_model_without_groups_is_refused(tmp_path: Path):
    net = Net()
    source = Bench(tmp_path).save(net.model(net.conv(net.input("image", 1, 3, 12, 12), 3, 16)))
    with pytest.raises(ModelRefused, match="no group of channels can go"):
        grouped(PruneChannels(), source)
