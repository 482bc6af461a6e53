"""Scales and zero-points: the paper's formulas, and what must hold on every grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edgetui.engine.compress.grid import activation, bias_as_integers, half_up, room_for_bias, weight
from hypothesis import given
from hypothesis import strategies as st

ends = st.floats(-1e6, 1e6, allow_nan=False, width=32)


def test_halves_are_rounded_up_as_the_paper_does() -> None:
    assert half_up(np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5])).tolist() == [1, 2, 3, 0, -1, -2]


@given(ends, ends)
def test_affine_activations_follow_the_formulas(one: float, other: float) -> None:
    low, high = min(one, other, 0.0), max(one, other, 0.0)
    grid = activation((low, high), "int8", affine=True)
    if high - low < 1e-30:
        return
    scale = np.float32((high - low) / 255)
    assert grid.scale == pytest.approx(scale, rel=1e-6)
    assert int(grid.zero) == max(-128, min(127, math.floor(127 - high / float(grid.scale) + 0.5)))


@given(ends, ends, st.booleans())
def test_unsigned_and_signed_are_one_grid(one: float, other: float, affine: bool) -> None:
    span = (min(one, other), max(one, other))
    unsigned, signed = activation(span, "uint8", affine), activation(span, "int8", affine)
    assert unsigned.scale == signed.scale
    assert int(unsigned.zero) == int(signed.zero) + 128
    assert (unsigned.zero.dtype, signed.zero.dtype) == (np.dtype(np.uint8), np.dtype(np.int8))


@given(ends, ends, st.floats(0, 1), st.booleans())
def test_a_value_inside_comes_back_within_a_step(one: float, other: float, share: float, affine: bool) -> None:
    low, high = min(one, other, 0.0), max(one, other, 0.0)
    grid = activation((low, high), "uint8", affine)
    value = low + share * (high - low)
    code = np.clip(np.rint(value / grid.scale) + int(grid.zero), 0, 255)
    assert abs((code - int(grid.zero)) * float(grid.scale) - value) <= float(grid.scale) * 1.01


@pytest.mark.parametrize("kind", ["uint8", "int8", "symmetric"])
@pytest.mark.parametrize("span", [(0.0, 0.0), (-3.0, -1.0), (2.0, 5.0), (-1.0, 7.0), (0.0, 1e-42)])
def test_zero_is_on_every_grid(span: tuple[float, float], kind: str) -> None:
    grid = activation(span, kind, affine=False)  # type: ignore[arg-type]
    limits = np.iinfo(grid.zero.dtype)
    assert limits.min <= int(grid.zero) <= limits.max
    assert np.isfinite(grid.scale)
    assert grid.scale > 0


def test_an_output_of_relu_begins_at_the_lowest_code() -> None:
    for affine in (False, True):
        assert int(activation((0.0, 5.3), "uint8", affine).zero) == 0
        assert int(activation((0.0, 5.3), "int8", affine).zero) == -128


def test_tensorrt_grids_have_zero_point_0() -> None:
    grid = activation((-0.5, 2.54), "symmetric", affine=False)
    assert (int(grid.zero), grid.zero.dtype, float(grid.scale)) == (0, np.dtype(np.int8), pytest.approx(0.02))


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("affine", [False, True])
def test_weights_come_back_within_half_a_step(axis: int | None, affine: bool) -> None:
    array = np.random.default_rng(0).standard_normal((6, 5, 3, 3)).astype(np.float32)
    array[2] *= 100
    stored = weight(array, axis, affine)
    shape = [1] * 4
    if axis is not None:
        shape[axis] = -1
    scale, zero = (np.reshape(x, shape if axis is not None else ()) for x in (stored.scale, stored.zero.astype(np.float32)))
    error = np.abs((stored.values - zero) * scale - array) / scale
    # the affine grid's ends may lie half a step inside the range, for its zero-point is rounded
    assert error.max() <= (1.01 if affine else 0.501)
    assert affine or not stored.zero.any()


def test_affine_weights_follow_the_formulas() -> None:
    array = np.array([[-1.0, 0.25, 3.0, 0.0]], np.float32)
    stored = weight(array, None, affine=True)
    scale = 4.0 / 255
    point = math.floor(127 - 3.0 / scale + 0.5)
    assert float(stored.scale) == pytest.approx(scale)
    assert int(stored.zero) == point
    assert stored.values.tolist() == [[max(-128, math.floor(value / scale + point + 0.5)) for value in array[0].tolist()]]


def test_seven_bits_leave_room_for_two_products() -> None:
    array = np.random.default_rng(1).standard_normal((8, 8)).astype(np.float32)
    assert np.abs(weight(array, 0, affine=False, bits=7).values).max() == 63


def test_a_dead_channel_keeps_its_bias() -> None:
    array = np.zeros((2, 4), np.float32)
    array[1] = 0.5
    bias = np.array([3.0, -1.0], np.float32)
    step = np.float32(0.01)
    stored = room_for_bias(array, weight(array, 0, affine=False), bias, step)
    integers, scale = bias_as_integers(bias, step, stored.scale)
    assert integers * scale == pytest.approx(bias, rel=1e-4)


def test_a_bias_that_is_huge_beside_its_weights_still_fits_32_bits() -> None:
    array = np.full((1, 4), 1e-12, np.float32)
    bias = np.array([100.0], np.float32)
    stored = room_for_bias(array, weight(array, 0, affine=False), bias, np.float32(1e-3))
    integers, scale = bias_as_integers(bias, np.float32(1e-3), stored.scale)
    assert integers * scale == pytest.approx(bias, rel=1e-6)
    assert abs(int(integers[0])) < 2**31 - 1
