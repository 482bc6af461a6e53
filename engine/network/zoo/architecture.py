"""What an architecture of the zoo is: its name, its paper, how large it is made, and the function that builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .onnx_builder import OnnxBuilder

Kind = Literal["classification", "detection", "keypoints", "text-classification"]


@dataclass(frozen=True)
class NetworkSize:
    """How large a network is made; what an architecture has no use for, it does not read."""

    classes: int = 10
    width: float = 1.0
    """Times the channels of the paper; they are rounded to multiples of 4."""
    side: int = 32
    """Pixels of the image, along both axes."""
    channels: int = 3
    """Of the image."""
    enlarge: int = 1
    """The image is enlarged by so much before the first layer."""
    tokens: int = 40
    """Length of a text."""
    vocabulary: int = 4000
    """Ids that a text is made of; 0 pads."""

    def wide(self, channels: float, least: int = 4) -> int:
        """`channels` of the paper at this width."""
        return max(int(channels * self.width / 4 + 0.5) * 4, least)


@dataclass(frozen=True)
class Architecture:
    """A row of the catalogue."""

    name: str
    title: str
    paper: str
    kind: Kind
    build: Callable[[OnnxBuilder, NetworkSize], None]
    size: NetworkSize = field(default_factory=NetworkSize)
    """What is made where nobody says otherwise."""
