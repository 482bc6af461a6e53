"""The arithmetic of 8-bit grids: a range becomes a scale and a zero-point, floats become integers and back.

Two schemes and three targets share it: numpy only, no graph. q stands for the stored integer, z for the
zero-point, s for the scale: value = s * (q - z).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Range = tuple[float, float]
Activations = Literal["uint8", "int8", "symmetric"]
"""`uint8` and `int8`: asymmetric, the same grid 128 apart. `symmetric`: int8 around zero-point 0."""

_LEAST_SCALE = float(np.finfo(np.float32).tiny)
_BIAS_BITS = 2.0**30
"""Largest |bias| in steps: a quarter of int32, for the accumulator of the convolution is added to it."""


@dataclass(frozen=True)
class Grid:
    """Scale and zero-point of one tensor."""

    scale: np.float32
    zero: np.generic
    """A numpy scalar of the stored type, uint8 or int8."""

    def codes(self, values: NDArray[np.floating] | float) -> NDArray[np.generic]:
        """Values as stored integers; what lies outside the grid takes its nearest end."""
        low, high = (0, 255) if self.zero.dtype == np.uint8 else (-128, 127)
        codes: NDArray[np.generic] = np.clip(np.rint(values / self.scale) + int(self.zero), low, high).astype(self.zero.dtype)
        return codes


@dataclass(frozen=True)
class Stored:
    """Weights as integers, with one scale and zero-point, or one of each for every channel of `axis`."""

    values: NDArray[np.int8]
    scale: Floats
    zero: NDArray[np.int8]
    axis: int | None


def activation(span: Range, kind: Activations, affine: bool) -> Grid:
    """Grid of an activation seen in `span`; zero is always on it.

    `affine`: s = (Fmax - Fmin) / (Imax - Imin), p = round(Imax - Fmax / s) with int8's -128..127 and round(x) = floor(x + 0.5)
    (Zhang et al., Model Compression in Low Performance Edge Computing); uint8 is the same grid with p + 128. Otherwise the
    zero-point comes from the lower end, and symmetric grids use -127..127.
    """
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    if kind == "symmetric":
        return Grid(np.float32(_scale(max(-low, high), 127)), np.int8(0))
    scale = _scale(high - low, 255)
    zero = half_up(127 - high / scale) if affine else np.rint(-low / scale) - 128
    signed = int(np.clip(zero, -128, 127))
    return Grid(np.float32(scale), np.uint8(signed + 128) if kind == "uint8" else np.int8(signed))


def weight(array: Floats, axis: int | None, affine: bool, bits: int = 8) -> Stored:
    """Weights on a signed grid, one for each channel of `axis` or (None) one for all.

    `bits` 7 keeps |q| <= 63: on x86 without VNNI, VPMADDUBSW adds two products of uint8 and int8 in 16 bits and saturates.
    """
    low, high = _ends(array, axis)
    top = 2 ** (bits - 1) - 1
    if affine:
        scale = np.maximum((high - low) / (2 * top + 1), _LEAST_SCALE).astype(np.float32)
        zero = np.clip(half_up(top - high / scale), -top - 1, top)
        values = half_up(array / _along(scale, array, axis) + _along(zero.astype(np.float32), array, axis))
        return Stored(np.clip(values, -top - 1, top).astype(np.int8), scale, zero.astype(np.int8), axis)
    scale = np.maximum(np.maximum(-low, high) / top, _LEAST_SCALE).astype(np.float32)
    return symmetric_with(array, scale, axis, top)


def symmetric_with(array: Floats, scale: Floats, axis: int | None, top: int) -> Stored:
    """Weights on a given symmetric grid, |q| <= `top`."""
    values = np.clip(np.rint(array / _along(scale, array, axis)), -top, top).astype(np.int8)
    return Stored(values, scale, np.zeros_like(scale, np.int8), axis)


def room_for_bias(array: Floats, stored: Stored, bias: Floats, input_scale: np.float32) -> Stored:
    """The same weights, coarser where a bias would not fit int32 in their steps (dead channels)."""
    needed = np.abs(bias).astype(np.float64) / (float(input_scale) * _BIAS_BITS)
    if stored.axis is None:
        needed = needed.max(initial=0.0, keepdims=False)
    if np.all(needed <= stored.scale):
        return stored
    scale = np.maximum(stored.scale, needed).astype(np.float32)
    values = np.rint(array / _along(scale, array, stored.axis)) + _along(stored.zero.astype(np.float32), array, stored.axis)
    return Stored(np.clip(values, -128, 127).astype(np.int8), scale, stored.zero, stored.axis)


def bias_as_integers(bias: Floats, input_scale: np.float32, weight_scale: Floats) -> tuple[NDArray[np.int32], Floats]:
    """Bias in the accumulator's own steps, and those steps: what an integer convolution adds before it rescales."""
    scale = (input_scale * weight_scale).astype(np.float32)
    steps = np.rint(bias.astype(np.float64) / np.maximum(scale.astype(np.float64), 1e-300))
    return np.clip(steps, -(2.0**31), 2.0**31 - 1).astype(np.int32), scale


def half_up(x: NDArray[np.floating] | float) -> NDArray[np.floating]:
    """round(x) = floor(x + 0.5), as the paper defines it; numpy rounds halves to even."""
    return np.floor(np.asarray(x) + 0.5)


def _scale(width: float, steps: int) -> float:
    """A width of 0 (a constant 0, a dead channel) gets scale 1: every value of it is then exact."""
    return float(np.float32(max(width / steps, _LEAST_SCALE))) if width > 0 else 1.0


def _ends(array: Floats, axis: int | None) -> tuple[Floats, Floats]:
    """Least and largest value (0 included) of each channel, or of all."""
    others = None if axis is None else tuple(n for n in range(array.ndim) if n != axis)
    low = np.minimum(array.min(axis=others, initial=0.0), 0.0)
    high = np.maximum(array.max(axis=others, initial=0.0), 0.0)
    flat = low == high
    return np.asarray(low, np.float32), np.asarray(np.where(flat, 1.0, high), np.float32)


def _along(values: Floats, array: Floats, axis: int | None) -> Floats:
    if axis is None:
        return values
    shape = [1] * array.ndim
    shape[axis] = -1
    return values.reshape(shape)
