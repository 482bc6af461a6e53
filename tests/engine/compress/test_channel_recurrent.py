"""Hidden units of LSTM, GRU and RNN are channels: those that give nothing go without a trace, in every form of the node."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.compress.channels import NothingRemoved, prune
from edgetui.engine.compress.layer_rows import linear_layers
from edgetui.engine.compress.permutation import permute
from edgetui.engine.graph.load import load, save
from edgetui.engine.graph.weights import weights
from edgetui.engine.schema.steps import PruneChannels
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net
from onnx import ModelProto

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS, BATCH, INPUTS, HIDDEN, IDLE = 5, 1, 6, 8, (1, 4, 6)
STEP = PruneChannels(amount=len(IDLE) / HIDDEN, norm="l1", round_to=1, statistics=False, repair=False)


def network(
    operator: str,
    directions: int = 1,
    *,
    begin: bool = False,
    peepholes: bool = False,
    sequence: bool = True,
    **attributes: object,
) -> ModelProto:
    """A recurrent node of which `IDLE` units are zero all the time, and what reads their states."""
    it, gates = Net(), GATES[operator]

    def weight(*shape: int, axes: tuple[int, ...]) -> str:
        array = it.draw.standard_normal(shape) * 0.4
        for axis in axes:
            units = np.isin(np.arange(shape[axis]) % HIDDEN, IDLE)
            array = np.where(units.reshape([-1 if place == axis else 1 for place in range(len(shape))]), 0, array)
        return it.constant(array)

    x = it.input("x", STEPS, BATCH, INPUTS)
    given = [
        weight(directions, gates * HIDDEN, INPUTS, axes=(1,)),
        weight(directions, gates * HIDDEN, HIDDEN, axes=(1, 2)),
        weight(directions, 2 * gates * HIDDEN, axes=(1,)),
    ]
    if begin or peepholes:
        states = [weight(directions, BATCH, HIDDEN, axes=(2,)) if begin else "" for _ in range(2 if operator == "LSTM" else 1)]
        given += ["", *states]
    if peepholes:
        given.append(weight(directions, 3 * HIDDEN, axes=()))
    way = "bidirectional" if directions == 2 else "forward"
    made = it.node(operator, x, *given, outputs=2, hidden_size=HIDDEN, direction=way, **attributes)
    if sequence:
        turned = it.node("Transpose", made, perm=[0, 2, 1, 3])
        flat = it.node("Reshape", turned, it.constant(np.array([STEPS, BATCH, directions * HIDDEN])))
        return it.model(it.node("MatMul", flat, it.weight(directions * HIDDEN, 16)))
    return it.model(it.node("MatMul", f"{made}_1", it.weight(HIDDEN, 3)))


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize(
    "form",
    [{}, {"directions": 2}, {"begin": True}, {"sequence": False}, {"directions": 2, "begin": True, "sequence": False}],
    ids=str,
)
def test_idle_units_go_without_a_trace(bench: Bench, operator: str, form: dict) -> None:
    model = network(operator, **form)
    source, out = bench.save(model), bench.folder / "o.onnx"
    line = prune(STEP, source, out, None, NullReporter())
    assert f"{len(IDLE)} of " in line
    (cell,) = (node for node in load(out).graph.node if node.op_type == operator)
    assert next(entry.i for entry in cell.attribute if entry.name == "hidden_size") == HIDDEN - len(IDLE)
    held = {tensor.name: tuple(tensor.dims) for tensor in load(out).graph.initializer}
    assert held[cell.input[2]][1:] == (GATES[operator] * (HIDDEN - len(IDLE)), HIDDEN - len(IDLE))
    for feed in bench.feeds(model, 3):
        np.testing.assert_allclose(bench.run(out, feed)[0], bench.run(source, feed)[0], atol=2e-6)


def test_other_forms_of_the_node(bench: Bench) -> None:
    for number, model in enumerate((network("LSTM", peepholes=True), network("GRU", linear_before_reset=1))):
        source, out = bench.save(model), bench.folder / f"{number}.onnx"
        prune(STEP, source, out, None, NullReporter())
        for feed in bench.feeds(model, 2):
            np.testing.assert_allclose(bench.run(out, feed)[0], bench.run(source, feed)[0], atol=2e-6)


def test_channels_that_come_in_go_with_the_columns_that_read_them(bench: Bench) -> None:
    it = Net()
    made = it.weight(INPUTS, 12)
    x = it.node("MatMul", it.input("x", STEPS, BATCH, INPUTS), made)
    cell = it.weight(1, 4 * HIDDEN, 12), it.weight(1, 4 * HIDDEN, HIDDEN)
    states = it.node("LSTM", x, *cell, hidden_size=HIDDEN, name="cell")
    source, out = bench.save(it.model(states)), bench.folder / "o.onnx"
    prune(PruneChannels(amount=0.25, norm="l1", round_to=1, statistics=False, repair=False), source, out, None, NullReporter())
    held = {tensor.name: tuple(tensor.dims) for tensor in load(out).graph.initializer}
    assert (held[made], held[cell[0]], held[cell[1]]) == ((INPUTS, 9), (1, 4 * HIDDEN, 9), (1, 4 * HIDDEN, HIDDEN))
    for feed in bench.feeds(load(out), 1):
        bench.run(out, feed)


@pytest.mark.parametrize("operator", GATES)
def test_units_in_another_order_change_no_output(bench: Bench, operator: str) -> None:
    model = network(operator)
    source, out = bench.save(model), bench.folder / "o.onnx"
    changed = load(source)
    assert permute(changed, linear_layers(changed, weights(changed)).values(), 2, 4) == 1
    save(changed, out)
    for feed in bench.feeds(model, 2):
        np.testing.assert_allclose(bench.run(out, feed)[0], bench.run(source, feed)[0], atol=2e-6)


def test_what_is_computed_keeps_its_units(bench: Bench) -> None:
    it = Net()
    x = it.input("x", STEPS, BATCH, INPUTS)
    w = it.node("Mul", it.weight(1, HIDDEN, INPUTS), it.input("by", 1, 1, 1))
    states = it.node("RNN", x, w, it.weight(1, HIDDEN, HIDDEN), hidden_size=HIDDEN)
    source = bench.save(it.model(it.node("MatMul", states, it.weight(HIDDEN, 3))))
    with pytest.raises(NothingRemoved):
        prune(STEP, source, bench.folder / "o.onnx", None, NullReporter())
