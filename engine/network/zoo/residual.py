"""ResNets, and the pose network that stands on one (He et al. 2016, Deep Residual Learning for Image Recognition)."""

from __future__ import annotations

from collections.abc import Callable

from .architecture import NetworkSize
from .onnx_builder import Maps, OnnxBuilder

CMAP, PAF = 18, 42
"""Maps of keypoints and of limbs: trt_pose's, of COCO's skeleton (tasks/part_affinity.py)."""


def _basic(net: OnnxBuilder, x: Maps, out: int, stride: int) -> Maps:
    """Figure 2 of the paper; where shapes change, a convolution of 1x1 (option B)."""
    y = net.block(x, out, 3, stride, layer="conv1")
    y = net.block(y, out, act="none", layer="conv2")
    if stride > 1 or x.channels != out:
        x = net.block(x, out, 1, stride, act="none", layer="downsample")
    return net.act(net.add(y, x))


def _stage(net: OnnxBuilder, x: Maps, name: str, out: int, blocks: int, stride: int) -> Maps:
    for number in range(blocks):
        with net.within(f"{name}.{number}"):
            x = _basic(net, x, out, stride if number == 0 else 1)
    return x


def cifar_resnet(blocks: int) -> Callable[[OnnxBuilder, NetworkSize], None]:
    """Section 4.2: three stages of `blocks` blocks with 16, 32 and 64 channels; 6 x blocks + 2 layers."""

    def build(net: OnnxBuilder, size: NetworkSize) -> None:
        x = pixels(net, size)
        x = net.block(x, size.wide(16), layer="stem")
        for number, channels in enumerate((16, 32, 64)):
            x = _stage(net, x, f"layer{number + 1}", size.wide(channels), blocks, 1 if number == 0 else 2)
        classes(net, x, size)

    return build


def _resnet18_body(net: OnnxBuilder, x: Maps, size: NetworkSize) -> Maps:
    """Table 1: a side of 224 becomes 7."""
    x = net.pooled(net.block(x, size.wide(64), 7, 2, layer="stem"), "MaxPool", 3, 2)
    for number, channels in enumerate((64, 128, 256, 512)):
        x = _stage(net, x, f"layer{number + 1}", size.wide(channels), 2, 1 if number == 0 else 2)
    return x


def resnet18(net: OnnxBuilder, size: NetworkSize) -> None:
    """Table 1, 18 layers."""
    classes(net, _resnet18_body(net, pixels(net, size), size), size)


def pose_resnet18(net: OnnxBuilder, size: NetworkSize) -> None:
    """ResNet-18, three doublings (Xiao et al. 2018, Simple Baselines for Human Pose Estimation, section 2), and two heads (Cao
    et al. 2017, Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields), with the outputs of trt_pose's models:
    `cmap` (batch, 18, side / 4, side / 4) and `paf` (batch, 42, side / 4, side / 4).
    """
    x = _resnet18_body(net, pixels(net, size), size)
    for name, maps in (("cmap", CMAP), ("paf", PAF)):
        y = x
        for number in range(3):
            with net.within(f"{name}_up.{number}"):
                y = net.act(net.norm(net.upconv(y, size.wide(256))))
        head = net.conv(y, maps, 1, bias=True, layer=f"{name}_head")
        net.output(head.name, name, maps, head.side, head.side)


def pixels(net: OnnxBuilder, size: NetworkSize) -> Maps:
    """The image, enlarged where that is wanted."""
    x = net.image(size.channels, size.side)
    return net.enlarged(x, size.enlarge, "linear") if size.enlarge > 1 else x


def classes(net: OnnxBuilder, x: Maps, size: NetworkSize) -> None:
    """The mean of each channel, a fully connected layer, the output `logits`."""
    net.output(net.linear(net.averaged(x), size.classes).name, "logits", size.classes)
