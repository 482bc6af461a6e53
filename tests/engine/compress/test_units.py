"""Units: which nodes are changed together, and a model in which one unit alone is changed."""

from __future__ import annotations

import kinds
import pytest
from edgetui.engine.compress.annotations import write_fp16
from edgetui.engine.compress.one_unit import alone, leaves_wishes, sparing
from edgetui.engine.compress.units import others, units_of
from edgetui.engine.graph.load import load, save
from edgetui.engine.graph.walk import label, within
from edgetui.engine.schema.steps import plain_step
from edgetui.engine.system.reporter import NullReporter
from onnx import TensorProto

EVERY = [
    kinds.classifier, kinds.residual, kinds.padded_shortcut, kinds.mobile, kinds.squeeze_excite, kinds.swish,
    kinds.shared_weight, kinds.attention, kinds.captured, kinds.moved,
]  # fmt: skip


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_node_that_computes_is_in_one_unit(net, kind):
    model = kind(net())
    inside = [name for unit in units_of(model) for name in unit.labels]
    assert len(inside) == len(set(inside))
    computing = {label(node) for node in within(model.graph.node) if node.op_type != "Constant"}
    assert computing == set(inside)


def test_a_unit_is_a_product_with_what_follows_it(net):
    model = kinds.residual(net())
    first, *middle, last = [[node.op_type for node in unit.nodes] for unit in units_of(model)]
    assert first == ["Conv", "Relu"]
    assert ["Conv", "Add", "Relu", "Slice"] in middle
    assert last == ["Conv"]


def test_nodes_that_share_weights_are_one_unit(net):
    names = [[node.op_type for node in unit.heads] for unit in units_of(kinds.shared_weight(net()))]
    assert names == [["Conv"], ["Conv", "Conv"], ["MatMul", "Gemm"]]


def test_queries_keys_and_values_are_one_unit(net):
    units = units_of(kinds.attention(net()))
    assert [len(unit.heads) for unit in units] == [3, 1, 1, 1, 1]
    assert "Gather" in [node.op_type for node in units[0].nodes], "what stands before the first product belongs to its reader"


def test_what_leaves_a_unit_is_read_elsewhere(net):
    model = kinds.residual(net())
    for unit in units_of(model):
        mine = {label(node) for node in unit.nodes}
        readers = [node for node in model.graph.node if unit.tensor in node.input and label(node) not in mine]
        assert readers or unit.tensor in [value.name for value in model.graph.output]


def test_others_are_all_but_these(net):
    model = kinds.mobile(net())
    unit = units_of(model)[1]
    spared = others(model, unit.labels)
    assert spared.isdisjoint(unit.labels)
    assert len(spared) + len(unit.labels) == len(model.graph.node)


def test_one_unit_alone_is_halved(net, tmp_path):
    model = kinds.mobile(net())
    write_fp16(model, ())
    save(model, tmp_path / "wish.onnx")
    done = load(tmp_path / "wish.onnx")
    assert leaves_wishes(done)
    unit = units_of(done)[1]
    made = alone(done, tmp_path / "wish.onnx", others(done, unit.labels), "onnxruntime-x86", NullReporter())
    halves = [tensor.name for tensor in made.graph.initializer if tensor.data_type == TensorProto.FLOAT16]
    assert halves
    assert all(name.removesuffix("_fp16") in unit.heads[0].input for name in halves if "limit" not in name and "w" in name[:1])
    none = alone(done, tmp_path / "wish.onnx", others(done, ()), "onnxruntime-x86", NullReporter())
    assert not any(tensor.data_type == TensorProto.FLOAT16 for tensor in none.graph.initializer), "with all spared nothing is"


def test_a_step_spares_what_it_spared_before(net):
    model = kinds.mobile(net())
    step = plain_step("prune.magnitude")
    names = [label(node) for node in model.graph.node]
    before = sparing(step, model, {names[0]})
    assert sparing(before, model, {names[1]}).exclude == tuple(sorted(names[:2]))
    assert not leaves_wishes(model)
