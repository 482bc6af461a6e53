"""Networks that are one layer after another: VGG and MobileNet v1."""

from __future__ import annotations

from collections.abc import Callable

from .architecture import NetworkSize
from .onnx_builder import OnnxBuilder
from .residual import classes, pixels

VGG = {
    11: ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    16: ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
}
"""Table 1 of the paper, configurations A and D."""
_SEPARABLE = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2),
    (1024, 1),
)  # fmt: skip
"""Table 1 of the paper: channels and stride of each pair."""


def vgg(depth: int) -> Callable[[OnnxBuilder, NetworkSize], None]:
    """Simonyan and Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition.

    With batch normalisations, which make it trainable from nothing, and one fully connected layer for three: at a side of 32
    there is one place left before them.
    """

    def build(net: OnnxBuilder, size: NetworkSize) -> None:
        x = pixels(net, size)
        for number, stage in enumerate(VGG[depth]):
            for place, channels in enumerate(stage):
                x = net.block(x, size.wide(channels), layer=f"features.{number}.{place}")
            x = net.pooled(x, "MaxPool", 2, 2)
        classes(net, x, size)

    return build


def mobilenet_v1(net: OnnxBuilder, size: NetworkSize) -> None:
    """Howard et al. 2017, MobileNets: a depthwise convolution of 3x3, then one of 1x1.

    At sides below 64 the first layer does not halve.
    """
    x = pixels(net, size)
    x = net.block(x, size.wide(32), 3, first_stride(x.side), layer="stem")
    for number, (channels, stride) in enumerate(_SEPARABLE):
        x = net.block(x, x.channels, 3, stride, groups=x.channels, layer=f"pairs.{number}.depthwise")
        x = net.block(x, size.wide(channels), 1, layer=f"pairs.{number}.pointwise")
    classes(net, x, size)


def first_stride(side: int) -> int:
    """Of networks that the papers fed with 224 pixels: 1 where there are few."""
    return 2 if side >= 64 else 1
