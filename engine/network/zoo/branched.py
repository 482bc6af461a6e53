"""Networks whose layers read several others: Inception and DenseNet."""

from __future__ import annotations

from .architecture import NetworkSize
from .onnx_builder import Maps, OnnxBuilder
from .plain import first_stride
from .residual import classes, pixels

_INCEPTION = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
"""Table 1 of the paper: 1x1; reduced and 3x3; reduced and 5x5; behind the pool. Empty: a pool that halves."""
_DENSE_LAYERS, _GROWTH = (6, 6, 6), 12


def inception(net: OnnxBuilder, size: NetworkSize) -> None:
    """Szegedy et al. 2015, Going Deeper with Convolutions: the nine modules of table 1, without the side classifiers.

    With batch normalisations (as the second of these papers has them); at sides below 64 a stem of one layer that does not
    halve.
    """
    x = pixels(net, size)
    if first_stride(x.side) == 2:
        x = net.pooled(net.block(x, size.wide(64), 7, 2, layer="stem.0"), "MaxPool", 3, 2)
        x = net.block(net.block(x, size.wide(64), 1, layer="stem.1"), size.wide(192), layer="stem.2")
        x = net.pooled(x, "MaxPool", 3, 2)
    else:
        x = net.pooled(net.block(x, size.wide(64), layer="stem.0"), "MaxPool", 3, 2)
    for number, row in enumerate(_INCEPTION):
        if not row:
            x = net.pooled(x, "MaxPool", 3, 2)
            continue
        with net.within(f"modules.{number}"):
            x = _module(net, x, [size.wide(channels) for channels in row])
    classes(net, x, size)


def _module(net: OnnxBuilder, x: Maps, row: list[int]) -> Maps:
    one, reduced3, three, reduced5, five, behind = row
    return net.joined(
        net.block(x, one, 1, layer="one"),
        net.block(net.block(x, reduced3, 1, layer="three.reduce"), three, layer="three"),
        net.block(net.block(x, reduced5, 1, layer="five.reduce"), five, 5, layer="five"),
        net.block(net.pooled(x, "MaxPool", 3, 1), behind, 1, layer="pooled"),
    )


def densenet(net: OnnxBuilder, size: NetworkSize) -> None:
    """Huang et al. 2017, Densely Connected Convolutional Networks: DenseNet-BC with three blocks of 6 layers, growth 12.

    Each layer: normalise, 1x1 to four times the growth, normalise, 3x3 to the growth; between blocks half the channels at half
    the side (section 3).
    """
    growth = size.wide(_GROWTH)
    x = pixels(net, size)
    x = net.conv(x, 2 * growth, 3, first_stride(x.side), layer="stem")
    for number, layers in enumerate(_DENSE_LAYERS):
        for place in range(layers):
            with net.within(f"blocks.{number}.{place}"):
                y = net.conv(net.act(net.norm(x, "norm1")), 4 * growth, 1, layer="conv1")
                y = net.conv(net.act(net.norm(y, "norm2")), growth, layer="conv2")
                x = net.joined(x, y)
        if number < len(_DENSE_LAYERS) - 1:
            with net.within(f"transitions.{number}"):
                x = net.pooled(net.conv(net.act(net.norm(x)), x.channels // 2, 1), "AveragePool", 2, 2)
    classes(net, net.act(net.norm(x, "last")), size)
