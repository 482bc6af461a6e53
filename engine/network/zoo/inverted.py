"""Networks of inverted residuals: MobileNet v3 and EfficientNet."""

from __future__ import annotations

from typing import Any, NamedTuple

from .architecture import NetworkSize
from .onnx_builder import Maps, OnnxBuilder
from .plain import first_stride
from .residual import classes, pixels


class _Row(NamedTuple):
    kernel: int
    expanded: float
    out: int
    squeezed: bool
    act: str
    stride: int


_V3_SMALL = (
    _Row(3, 16, 16, True, "relu", 2),
    _Row(3, 72, 24, False, "relu", 2),
    _Row(3, 88, 24, False, "relu", 1),
    _Row(5, 96, 40, True, "hardswish", 2),
    _Row(5, 240, 40, True, "hardswish", 1),
    _Row(5, 240, 40, True, "hardswish", 1),
    _Row(5, 120, 48, True, "hardswish", 1),
    _Row(5, 144, 48, True, "hardswish", 1),
    _Row(5, 288, 96, True, "hardswish", 2),
    _Row(5, 576, 96, True, "hardswish", 1),
    _Row(5, 576, 96, True, "hardswish", 1),
)
"""Table 2 of the paper."""
_B0 = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
"""Table 1 of the paper: times the channels, kernel, channels, layers, stride."""


def mobilenet_v3_small(net: OnnxBuilder, size: NetworkSize) -> None:
    """Howard et al. 2019, Searching for MobileNetV3: table 2, without the layer of 1024 before the classes.

    At sides below 64 the first layer does not halve.
    """
    x = pixels(net, size)
    x = net.block(x, size.wide(16), 3, first_stride(x.side), act="hardswish", layer="stem")
    for number, row in enumerate(_V3_SMALL):
        with net.within(f"blocks.{number}"):
            x = _inverted(net, x, row._replace(out=size.wide(row.out)), size.wide(row.expanded), "Relu", "HardSigmoid")
    classes(net, net.block(x, size.wide(576), 1, act="hardswish", layer="last"), size)


def efficientnet_b0(net: OnnxBuilder, size: NetworkSize) -> None:
    """Tan and Le 2019, EfficientNet: table 1.

    At sides below 64 the first layer does not halve.
    """
    x = pixels(net, size)
    x = net.block(x, size.wide(32), 3, first_stride(x.side), act="silu", layer="stem")
    for stage, (times, kernel, out, layers, stride) in enumerate(_B0):
        for number in range(layers):
            row = _Row(kernel, times, size.wide(out), True, "silu", stride if number == 0 else 1)
            with net.within(f"blocks.{stage}.{number}"):
                x = _inverted(net, x, row, x.channels * times, "silu", "Sigmoid")
    classes(net, net.block(x, size.wide(1280), 1, act="silu", layer="last"), size)


def _inverted(net: OnnxBuilder, x: Maps, row: _Row, expanded: int, inner: str, gate: str) -> Maps:
    """Wider by 1x1, depthwise, weighed, narrower by 1x1 (Sandler et al. 2018, MobileNetV2, figure 3)."""
    y = net.block(x, expanded, 1, act=row.act, layer="expand") if expanded != x.channels else x
    y = net.block(y, y.channels, row.kernel, row.stride, groups=y.channels, act=row.act, layer="depthwise")
    y = _squeezed(net, y, max(y.channels // 4, 4), inner, gate) if row.squeezed else y
    y = net.block(y, row.out, 1, act="none", layer="project")
    return net.add(x, y) if row.stride == 1 and x.channels == row.out else y


def _squeezed(net: OnnxBuilder, x: Maps, few: int, inner: str, gate: str) -> Maps:
    """Channels weighed by what all places hold (Hu et al. 2018, Squeeze-and-Excitation Networks, figure 2)."""
    with net.within("squeeze"):
        y = Maps(net.node("GlobalAveragePool", x.name), x.channels, 1)
        y = net.act(net.conv(y, few, 1, bias=True, layer="reduce"), inner.lower())
        y = net.conv(y, x.channels, 1, bias=True, layer="expand")
        # PyTorch's hard sigmoid has a slope of 1/6, ONNX's of 0.2.
        slope: dict[str, Any] = {"alpha": 1 / 6} if gate == "HardSigmoid" else {}
        return Maps(net.node("Mul", x.name, net.node(gate, y.name, **slope)), x.channels, x.side)
