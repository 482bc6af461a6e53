"""Every architecture of the zoo, by name, and how one becomes a file."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import onnx
from onnx import ModelProto

from ...errors import StorageRefused, UsageError, nearest
from .anchor_free import yolo
from .architecture import Architecture, NetworkSize
from .branched import densenet, inception
from .inverted import efficientnet_b0, mobilenet_v3_small
from .onnx_builder import OnnxBuilder
from .plain import mobilenet_v1, vgg
from .residual import cifar_resnet, pose_resnet18, resnet18
from .token_networks import recurrent, text_cnn, transformer

_RESNET = "He et al. 2016, Deep Residual Learning for Image Recognition"
_VGG = "Simonyan and Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition"
_YOLO = "in the style of YOLOv8 (Jocher et al. 2023); an architecture of our own writing"
_LARGE = NetworkSize(classes=1000, side=224)
_TEXT = NetworkSize(classes=2)


def _yolo(letter: str, depth: float, width: float, most: int) -> Architecture:
    size = NetworkSize(classes=80, side=640, width=width)
    return Architecture(f"yolo-{letter}", f"detector, width {width:g}", _YOLO, "detection", yolo(depth, most), size)


_ALL = (
    *(
        Architecture(f"resnet{6 * n + 2}", f"ResNet-{6 * n + 2} for small images", _RESNET, "classification", cifar_resnet(n))
        for n in (1, 3, 5, 9)
    ),
    Architecture("resnet18", "ResNet-18", _RESNET, "classification", resnet18, _LARGE),
    *(Architecture(f"vgg{n}", f"VGG-{n} with batch normalisations", _VGG, "classification", vgg(n)) for n in (11, 16)),
    Architecture(
        "mobilenet-v1", "MobileNet v1", "Howard et al. 2017, MobileNets", "classification", mobilenet_v1
    ),
    Architecture(
        "mobilenet-v3",
        "MobileNet v3, small",
        "Howard et al. 2019, Searching for MobileNetV3",
        "classification",
        mobilenet_v3_small,
    ),
    Architecture("efficientnet", "EfficientNet-B0", "Tan and Le 2019, EfficientNet", "classification", efficientnet_b0),
    Architecture(
        "inception", "Inception", "Szegedy et al. 2015, Going Deeper with Convolutions", "classification", inception
    ),
    Architecture(
        "densenet",
        "DenseNet-BC of 40 layers",
        "Huang et al. 2017, Densely Connected Convolutional Networks",
        "classification",
        densenet,
    ),
    Architecture(
        "pose-resnet18",
        "ResNet-18 with the heads of trt_pose",
        "Xiao et al. 2018, Simple Baselines for Human Pose Estimation; Cao et al. 2017, Part Affinity Fields",
        "keypoints",
        pose_resnet18,
        NetworkSize(side=224),
    ),
    _yolo("n", 1 / 3, 0.25, 1024),
    _yolo("s", 1 / 3, 0.50, 1024),
    _yolo("m", 2 / 3, 0.75, 768),
    Architecture(
        "text-cnn",
        "convolutions over tokens",
        "Kim 2014, Convolutional Neural Networks for Sentence Classification",
        "text-classification",
        text_cnn,
        _TEXT,
    ),
    Architecture(
        "lstm",
        "LSTM",
        "Hochreiter and Schmidhuber 1997, Long Short-Term Memory",
        "text-classification",
        recurrent("LSTM"),
        _TEXT,
    ),
    Architecture(
        "gru", "GRU", "Cho et al. 2014, RNN Encoder-Decoder", "text-classification", recurrent("GRU"), _TEXT
    ),
    Architecture(
        "transformer", "transformer encoder", "Vaswani et al. 2017, Attention Is All You Need", "text-classification",
        transformer, _TEXT,
    ),
)  # fmt: skip

ARCHITECTURES = {each.name: each for each in _ALL}
LIMITS = {
    "classes": 10_000,
    "side": 4096,
    "channels": 16,
    "enlarge": 64,
    "tokens": 4096,
    "vocabulary": 1_000_000,
    "width": 16.0,
}
"""The largest sizes; larger ones are a slip of the hand."""


def architecture(name: str) -> Architecture:
    """Raises:
    UsageError: there is none of this name.
    """
    if name not in ARCHITECTURES:
        raise UsageError(f"the zoo has no architecture {name!r}", fix=nearest(name, ARCHITECTURES))
    return ARCHITECTURES[name]


def made(name: str, *, seed: int = 0, notes: dict[str, str] | None = None, **size: float) -> ModelProto:
    """An untrained network. `size`: fields of `NetworkSize`; those that are left out are the architecture's own.

    The same arguments give the same file, byte for byte. `notes`: entries for the model's metadata.

    Raises:
        UsageError: no such architecture, or a size that cannot be.
    """
    found = architecture(name)
    wanted = sized(found, size)
    net = OnnxBuilder(seed)
    found.build(net, wanted)
    entries = {"zoo": name, "paper": found.paper, "trained": "no", **_ultralytics(found, wanted), **(notes or {})}
    return net.model(name, entries)


def sized(found: Architecture, size: dict[str, float]) -> NetworkSize:
    """Its own size with these fields in place of its own.

    Raises:
        UsageError: one is no size, or the detector's side is no multiple of 32.
    """
    own = {field.name: field for field in fields(NetworkSize)}
    given: dict[str, float] = {}
    for key, value in size.items():
        if not 0 < value <= LIMITS[key]:
            raise UsageError(f"{key} {value:g} cannot be", fix=f"give more than 0 and at most {LIMITS[key]:g}")
        given[key] = value if own[key].name == "width" else int(value)
    wanted = replace(found.size, **given)  # type: ignore[arg-type]
    step = 32 if found.kind in ("detection", "keypoints") else 8
    if found.kind != "text-classification" and (wanted.side * wanted.enlarge) % step:
        raise UsageError(f"{found.name} takes no side of {wanted.side * wanted.enlarge}", fix=f"give a multiple of {step}")
    if found.kind == "text-classification" and wanted.tokens < 5:
        raise UsageError(f"{found.name} takes no {wanted.tokens} tokens", fix="give 5 at least")
    return wanted


def _ultralytics(found: Architecture, size: NetworkSize) -> dict[str, str]:
    """What an export of a detector says of itself, so that it is fed and read like one."""
    if found.kind != "detection":
        return {}
    names = ", ".join(f"{number}: 'class {number}'" for number in range(size.classes))
    return {"task": "detect", "stride": "32", "imgsz": f"[{size.side}, {size.side}]", "names": f"{{{names}}}"}


def write_network(model: ModelProto, out: Path) -> None:
    """Raises:
    StorageRefused: `out` cannot be written.
    """
    try:
        onnx.save(model, out)
    except OSError as error:
        raise StorageRefused(
            f"{out} cannot be written ({error.strerror})", fix="name a file in a folder that is there"
        ) from None
