"""How many channels stay: whole blocks, with as many multiplications as even shares leave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.compress.channel_shares import left_of
from edgetui.engine.compress.channels import prune
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import counts
from edgetui.engine.schema.steps import PruneChannels
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench, Net
from onnx import numpy_helper

PLAIN = {"statistics": False, "repair": False}
WIDTHS = (16, 32, 32, 32, 64, 64, 64)


def chain(bench: Bench, faint: int | None = None) -> Path:
    """Convolutions one after another; the second half of the channels of one of them, `faint`, is nearly nothing."""
    made = Net()
    x, channels = made.input("image", 1, 3, 8, 8), 3
    for place, width in enumerate(WIDTHS):
        x = made.node("Relu", made.conv(x, channels, width, name=f"c{place}"))
        if place == faint:
            tensor = made.constants[-2]
            array = numpy_helper.to_array(tensor).copy()
            array[width // 2 :] *= 1e-3
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        channels = width
    return bench.save(made.model(made.conv(x, channels, 4, name="end")))


def widths(path: Path) -> tuple[int, ...]:
    return tuple(weight.shape[0] for weight in weights(load(path)))[:-1]


@pytest.mark.parametrize("amount", [0.15, 0.25, 0.4])
def test_blocks_stay_whole_at_no_more_work_than_even_shares(bench: Bench, amount: float) -> None:
    source, even, out = chain(bench), bench.folder / "even.onnx", bench.folder / "o.onnx"
    prune(PruneChannels(amount=amount, round_to=1, **PLAIN), source, even, None, NullReporter())
    prune(PruneChannels(amount=amount, round_to=16, **PLAIN), source, out, None, NullReporter())
    assert all(width % 16 == 0 for width in widths(out))
    assert any(width % 16 for width in widths(even))
    whole, evenly, blocks = (counts(load(path), {})[2] for path in (source, even, out))
    assert whole - blocks == pytest.approx(whole - evenly, rel=0.3)
    assert whole - blocks > 0.95 * (whole - evenly)


@pytest.mark.parametrize(("amount", "told"), [(0.25, False), (0.4, False), (0.9, True), (1.0, True)])
def test_less_than_was_asked_for_is_said(bench: Bench, amount: float, told: bool) -> None:
    heard = NullReporter()
    prune(PruneChannels(amount=amount, round_to=16, **PLAIN), chain(bench), bench.folder / "o.onnx", None, heard)
    assert [line for line in heard.warnings if "% of multiplications are left, where" in line] == heard.warnings
    assert bool(heard.warnings) == told


def test_the_layer_whose_channels_say_least_gives_first(bench: Bench) -> None:
    for faint in (1, 2, 3):
        source, out = chain(bench, faint), bench.folder / "o.onnx"
        prune(PruneChannels(amount=0.1, round_to=16, **PLAIN), source, out, None, NullReporter())
        assert widths(out)[faint] == 16
    source = chain(bench)  # the control: without such a layer each gives no more than others like it
    prune(PruneChannels(amount=0.1, round_to=16, **PLAIN), source, bench.folder / "o.onnx", None, NullReporter())
    assert widths(bench.folder / "o.onnx").count(16) < 4


def test_narrow_layers_give_parts_of_blocks_where_nothing_else_can(bench: Bench) -> None:
    made = Net()
    x = made.node("Relu", made.conv(made.input("image", 1, 3, 8, 8), 3, 16))
    x = made.node("Relu", made.conv(x, 16, 16))
    source, out = bench.save(made.model(made.conv(x, 16, 4))), bench.folder / "o.onnx"
    prune(PruneChannels(amount=0.25, **PLAIN), source, out, None, NullReporter())
    assert widths(out) == (12, 12)


def test_an_amount_of_its_own_is_what_the_layer_gives(bench: Bench) -> None:
    source, out = chain(bench), bench.folder / "o.onnx"
    prune(PruneChannels(amount=0.25, amounts={"c4": 0.5, "c5": 0.0}, **PLAIN), source, out, None, NullReporter())
    assert widths(out)[4:6] == (32, 64)


@pytest.mark.parametrize(("count", "span", "spare", "left"), [(3, 16, 20, 2), (8, 16, 8, 6), (4, 16, 4, 3), (1, 16, 52, 1)])
def test_channels_that_stay_for_the_groups_sake_count_as_well(count: int, span: int, spare: int, left: int) -> None:
    """17 channels in 4 groups: 3 classes of 16 that may go, and 20 channels that stay; a quarter of 68 is one class."""
    assert left_of(count, span, 0.25, 1, spare) == left


def test_many_layers_are_decided_in_no_time(bench: Bench) -> None:
    """A network of 60 layers of 256: what one gives is looked at again only where it may be next."""
    made = Net()
    x, channels = made.input("image", 1, 3, 4, 4), 3
    for _ in range(60):
        x = made.node("Relu", made.conv(x, channels, 256, size=1))
        channels = 256
    source, out = bench.save(made.model(made.conv(x, channels, 4))), bench.folder / "o.onnx"
    prune(PruneChannels(amount=0.25, **PLAIN), source, out, None, NullReporter())
    total = np.sum(widths(out))
    assert 0.6 * 60 * 256 < total < 0.9 * 60 * 256
