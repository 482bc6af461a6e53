"""Groups of a convolution behind a shuffle that does not fall together with them: each loses as many channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.channel_groups import aligned
from edgetui.engine.compress.channel_labels import Classes
from edgetui.engine.compress.channels import prune
from edgetui.engine.errors import ModelRefused
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import weights
from edgetui.engine.schema.steps import PruneChannels
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net
from onnx import numpy_helper

PLAIN = {"statistics": False, "repair": False, "round_to": 1}
GROUPS = 4


def unit(bench: Bench, each: int, *, twice: bool = False) -> Path:
    """ShuffleNet's unit without its shortcut: pointwise in groups, shuffle, depthwise, pointwise in groups."""
    made, wide = Net(), GROUPS * each
    x = made.node("Relu", made.conv(made.input("image", 1, 4, 6, 6), 4, wide, size=1, group=GROUPS, name="first"))
    x = made.node("Reshape", x, made.constant(np.array([1, GROUPS, each, 6, 6])))
    x = made.node("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = made.node("Reshape", x, made.constant(np.array([1, wide, 6, 6])))
    x = made.conv(x, wide, wide, group=wide, name="depthwise")
    y = made.conv(x, wide, 2 * GROUPS, size=1, group=GROUPS, name="last")
    if twice:
        again = made.node("Conv", x, *made.nodes[-1].input[1:], group=GROUPS, name="again")
        y = made.node("Mul", y, again)
    return bench.save(made.model(made.conv(made.node("Relu", y), 2 * GROUPS, 3)))


@pytest.mark.parametrize(("each", "left"), [(17, 13), (34, 26), (16, 12), (6, 6)])
def test_every_group_loses_as_many(bench: Bench, each: int, left: int) -> None:
    """Of 17 a group, 3 of each reach over no border, and one of them is a quarter; 16 in 4 groups fall together."""
    source, out = unit(bench, each), bench.folder / "o.onnx"
    step = PruneChannels(amount=0.25, **PLAIN)
    if left == each:
        with pytest.raises(ModelRefused, match="no channel can be removed"):
            prune(step, source, out, None, NullReporter())
        return
    prune(step, source, out, None, NullReporter())
    onnx.checker.check_model(load(out), full_check=True)
    shapes = [weight.shape for weight in weights(load(out))]
    assert shapes[:3] == [(4 * left, 1, 1, 1), (4 * left, 1, 3, 3), (2 * GROUPS, left, 1, 1)]
    feed = next(bench.feeds(load(source), 1))
    assert bench.run(out, feed)[0].shape == bench.run(source, feed)[0].shape


def test_the_smallest_of_each_group_go_and_are_not_missed(bench: Bench) -> None:
    """One channel of each part of the shuffle is silent, at places of their own: just those go, and no output changes."""
    source, out = unit(bench, 17), bench.folder / "o.onnx"
    model = onnx.load(source)
    silent = [2, 6, 10, 15]  # places in a part: each lies in another group of what reads them
    for tensor in model.graph.initializer[:2]:
        array = numpy_helper.to_array(tensor).copy()
        for place in silent:
            array[[place + 17 * part for part in range(GROUPS)]] = 0
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    depthwise = model.graph.initializer[-5]  # its bias would speak for them
    assert depthwise.dims == [68]
    array = numpy_helper.to_array(depthwise).copy()
    array[[4 * place + part for place in silent for part in range(GROUPS)]] = 0
    depthwise.CopyFrom(numpy_helper.from_array(array, depthwise.name))
    onnx.save(model, source)
    prune(PruneChannels(amount=0.25, **PLAIN), source, out, None, NullReporter())
    for feed in bench.feeds(load(source), 3):
        np.testing.assert_allclose(bench.run(out, feed)[0], bench.run(source, feed)[0], atol=1e-5)
    # The control: where others are silent the same number of channels is missed.
    prune(PruneChannels(amount=0.5, **PLAIN), source, out, None, NullReporter())
    feed = next(bench.feeds(load(source), 1))
    assert float(np.abs(bench.run(out, feed)[0] - bench.run(source, feed)[0]).max()) > 1e-3


def test_weights_that_two_nodes_read_are_not_cut_by_groups(bench: Bench) -> None:
    source, out, say = unit(bench, 17, twice=True), bench.folder / "o.onnx", NullReporter()
    with pytest.raises(ModelRefused, match="no channel can be removed"):
        prune(PruneChannels(amount=0.25, **PLAIN), source, out, None, say)


def test_groups_fall_together_where_no_further_class_is_joined() -> None:
    classes = Classes()
    assert aligned(classes, classes.fresh(12).reshape(3, 4))
    assert aligned(classes, np.repeat(classes.fresh(16), 4).reshape(4, 16))
    assert not aligned(classes, np.repeat(classes.fresh(17), 4).reshape(4, 17))
