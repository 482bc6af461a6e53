"""Shortcuts as convolutions of zeros and ones: the same values to the bit, and only where the pattern really is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.lower import lowered
from edgetui.engine.compress.shortcut import as_convolutions
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Bench, Net


def skip(made: Net, source: str, axis: int, step: int = 2, start: int = 0, end: int = 2**31) -> str:
    settings = [made.constant(np.array([value])) for value in (start, end, axis, step)]
    return made.node("Slice", source, *settings)


def fill(made: Net, source: str, pads: list[int], **settings: object) -> str:
    return made.node("Pad", source, made.constant(np.array(pads)), **settings)


def operators(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(("before", "behind"), [(4, 4), (0, 3), (0, 0)])
def test_rows_columns_and_channels(net: type[Net], bench: Bench, before: int, behind: int) -> None:
    made = net()
    x = made.input("image", 1, 8, 9, 12)
    y = skip(made, skip(made, x, 2, end=9), -1, step=3)
    model = made.model(fill(made, y, [0, before, 0, 0, 0, behind, 0, 0]))
    feed = next(bench.feeds(model, 1))
    expected = bench.run(model, feed)[0]
    ranges = {x: (-2.0, 3.0)}
    as_convolutions(model, ranges)
    assert operators(model) == ["Conv"]
    assert ranges[model.graph.output[0].name] == (-2.0, 3.0)
    assert np.array_equal(bench.run(model, feed)[0], expected)


def test_a_start_within_or_an_end_before_the_last_row_is_another_thing(net: type[Net]) -> None:
    for start, end in ((1, 2**31), (0, 7)):
        made = net()
        y = skip(made, made.input("image", 1, 8, 9, 12), 2, start=start, end=end)
        model = made.model(fill(made, y, [0, 4, 0, 0, 0, 4, 0, 0]))
        as_convolutions(model, {"image": (0.0, 1.0)})
        assert operators(model) == ["Slice", "Pad"]


@pytest.mark.parametrize(
    ("pads", "settings"),
    [([0, 4, 1, 0, 0, 4, 1, 0], {}), ([0, -1, 0, 0, 0, 0, 0, 0], {}), ([0, 4, 0, 0, 0, 4, 0, 0], {"mode": "edge"})],
)
def test_another_padding_stays(net: type[Net], pads: list[int], settings: dict[str, str]) -> None:
    made = net()
    model = made.model(fill(made, skip(made, made.input("image", 1, 8, 8, 8), 2), pads, **settings))
    as_convolutions(model, {"image": (0.0, 1.0)})
    assert operators(model) == ["Slice", "Pad"]


def test_what_others_read_or_nobody_observed_stays(net: type[Net]) -> None:
    made = net()
    y = skip(made, made.input("image", 1, 8, 8, 8), 2)
    model = made.model(fill(made, y, [0, 4, 0, 0, 0, 4, 0, 0]), made.node("Neg", y))
    as_convolutions(model, {"image": (0.0, 1.0)})
    assert "Slice" in operators(model)
    made = net()
    model = made.model(fill(made, skip(made, made.input("image", 1, 8, 8, 8), 2), [0, 4, 0, 0, 0, 4, 0, 0]))
    as_convolutions(model, {})
    assert operators(model) == ["Slice", "Pad"]


def test_many_channels_are_copied(net: type[Net]) -> None:
    made = net()
    model = made.model(fill(made, skip(made, made.input("image", 1, 128, 8, 8), 2), [0, 4, 0, 0, 0, 4, 0, 0]))
    as_convolutions(model, {"image": (0.0, 1.0)})
    assert operators(model) == ["Slice", "Pad"]


def test_a_model_whose_layers_are_smaller_has_them_in_floats_as_well(net: type[Net], bench: Bench, tmp_path: Path) -> None:
    made = net()
    x = made.input("image", 1, 8, 8, 8)
    y = skip(made, skip(made, x, 2), 3)
    model = made.model(fill(made, y, [0, 4, 0, 0, 0, 4, 0, 0]))
    source = bench.save(model, "model.onnx")
    feed = next(bench.feeds(model, 1))
    expected = bench.run(model, feed)[0]
    for target in ("onnxruntime-x86", "onnxruntime-arm", "tensorrt"):
        plain, told = lowered(onnx.load(source), source, target, NullReporter())
        assert operators(plain) == ["Slice", "Slice", "Pad"], "beside it the original has the same graph"
        assert "nothing to lower" in told
        smaller, told = lowered(onnx.load(source), source, target, NullReporter(), narrowed=True)
        ours = target != "tensorrt"
        assert operators(smaller) == (["Conv"] if ours else ["Slice", "Slice", "Pad"])
        assert ("1 shortcut as a convolution" in told) == ours
        assert np.array_equal(bench.run(smaller, feed)[0], expected)
