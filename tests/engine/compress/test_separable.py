"""Convolutions made depthwise separable: the nearest ones that there are, and the same shapes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.separable import factors, separate
from edgetui.engine.graph.weights import weights


def test_filters_that_are_separable_are_found_again():
    draw = np.random.default_rng(0)
    filters, shares = draw.standard_normal((5, 9)), draw.standard_normal((7, 5))
    weight = np.einsum("ip,oi->oip", filters, shares).reshape(7, 5, 3, 3)
    found, taken = factors(weight)
    np.testing.assert_allclose(np.einsum("ip,oi->oip", found, taken).reshape(weight.shape), weight, atol=1e-12)


def test_filters_are_the_nearest_of_each_channel():
    weight = np.random.default_rng(1).standard_normal((6, 3, 3, 3))
    found, taken = factors(weight)
    left = weight.reshape(6, 3, 9) - np.einsum("ip,oi->oip", found, taken)
    for channel in range(3):
        sizes = np.linalg.svd(weight[:, channel].reshape(6, 9), compute_uv=False)
        assert np.square(left[:, channel]).sum() == pytest.approx(np.square(sizes[1:]).sum())


@pytest.mark.parametrize(
    "attributes", [{}, {"strides": [2, 2]}, {"pads": [2, 2, 2, 2], "dilations": [2, 2]}, {"pads": [0, 1, 2, 1]}]
)
def test_a_separable_layer_gives_the_same_as_two(net, bench, attributes):
    it = net()
    model = it.model(it.conv(it.input("x", 1, 6, 9, 9), 6, 10, **attributes))
    weight = weights(model)[0]
    filters, shares = factors(weight.array())
    weight.write(np.einsum("ip,oi->oip", filters, shares).reshape(weight.shape))
    feed = next(bench.feeds(model, 1))
    (expected,) = bench.run(model, feed)
    assert separate(model) == ["n0"]
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Conv"]
    assert len({node.name for node in model.graph.node}) == 2
    (found,) = bench.run(model, feed)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert sum(one.size for one in weights(model)) == 6 * 9 + 6 * 10


def test_what_is_no_such_convolution_stays(net):
    it = net()
    image = it.conv(it.input("x", 1, 3, 8, 8), 3, 16)
    grouped = it.conv(image, 16, 16, group=16)
    point = it.conv(grouped, 16, 8, 1)
    model = it.model(it.conv(point, 8, 1, 1))
    before = model.SerializeToString()
    assert separate(model) == []
    assert model.SerializeToString() == before


def test_two_layers_that_share_their_weights_are_both_made_separable(net, bench):
    it = net()
    first = it.conv(it.input("x", 1, 8, 6, 6), 8, 8)
    shared = it.nodes[0]
    second = it.node("Conv", first, shared.input[1], shared.input[2], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    model = it.model(second)
    assert separate(model) == ["n0", "n1"]
    onnx.checker.check_model(model, full_check=True)
    assert bench.run(model, next(bench.feeds(model, 1)))[0].shape == (1, 8, 6, 6)
