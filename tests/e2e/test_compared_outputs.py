"""What a run says of outputs and of what is multiplied: told of the graphs that it compares, not of what they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from edgetui.engine.api import Engine
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeInt8, Recipe
from live_runs import ended
from nodes import Net
from onnx import numpy_helper


def detector(path: Path) -> Path:
    """The 20 best of 64 places, which are laid in a row by a shape that is computed inside."""
    net = Net(13)  # of which inference does not tell what such a shape is
    top = net.node("Relu", net.conv(net.input("x", 1, 3, 8, 8), 3, 8))
    rows = net.node("Transpose", net.conv(top, 8, 5, 1), perm=[0, 2, 3, 1])
    first = net.node("Gather", net.node("Shape", rows), net.constant(np.int64(0)))
    lengths = [first, *(net.node("Constant", value=numpy_helper.from_array(np.array(each))) for each in (-1, 5))]
    sizes = [net.node("Unsqueeze", each, net.constant([0])) for each in lengths]  # as PyTorch writes `view(n, -1, 5)`
    flat = net.node("Reshape", rows, net.node("Concat", *sizes, axis=0))
    scores = net.node("Slice", flat, net.constant([4]), net.constant([5]), net.constant([2]))
    best = net.node("TopK", scores, net.constant([20]), axis=1, outputs=2)
    net.node("GatherElements", flat, net.node("Tile", f"{best}_1", net.constant([1, 1, 5])), axis=1)
    model = net.model(net.nodes[-1].output[0])
    onnx.save(model, path)
    return path


async def test_rows_behind_shapes_computed_inside_are_matched(engine: Engine, tmp_path: Path) -> None:
    model = detector(tmp_path / "top.onnx")
    np.savez(tmp_path / "top.npz", x=np.random.default_rng(3).standard_normal((4, 1, 3, 8, 8)).astype(np.float32))
    spec = RunSpec(
        model=str(model),
        recipe=Recipe(name="prune", step=(PruneMagnitude(amount=0.05),)),
        dataset=read_dataset(str(tmp_path / "top.npz"), {}),
        backend=BackendSettings(threads=1),
        measure=False,
    )
    run = await engine.submit(spec)
    await ended(engine, run)
    result = await engine.result(run)
    assert result.state == "done", result.error
    assert [each.ranked for each in result.fidelity.outputs] == [True]
    assert result.fidelity.rows_matched is not None


def shortcut(path: Path) -> Path:
    """A block of CIFAR's ResNets: its shortcut skips rows and columns and adds empty channels, copies in floats."""
    net = Net()
    x = net.node("Relu", net.conv(net.input("x", 1, 3, 8, 8), 3, 8))
    y = x
    for axis in (2, 3):
        y = net.node("Slice", y, *(net.constant(np.array([value])) for value in (0, 2**31, axis, 2)))
    y = net.node("Pad", y, net.constant(np.array([0, 4, 0, 0, 0, 4, 0, 0])))
    top = net.node("Relu", net.node("Add", net.conv(x, 8, 16, strides=[2, 2]), y))
    flat = net.node("Flatten", net.node("GlobalAveragePool", top))
    onnx.save(net.model(net.node("Gemm", flat, net.weight(5, 16), net.weight(5), transB=1)), path)
    return path


async def test_what_integers_multiply_is_counted_of_the_graph_that_is_built(engine: Engine, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(3).standard_normal((8, 3, 8, 8)).astype(np.float32))
    spec = RunSpec(
        model=str(shortcut(tmp_path / "block.onnx")),
        recipe=Recipe(name="int8", step=(QuantizeInt8(samples=4),)),
        dataset=read_dataset(str(tmp_path / "x.npz"), {}),
        backend=BackendSettings(threads=1),
        measure=False,
    )
    run = await engine.submit(spec)
    await ended(engine, run)
    result = await engine.result(run)
    assert result.state == "done", result.error
    in_floats = 8 * 64 * 3 * 9 + 16 * 16 * 8 * 9 + 16 * 5
    assert result.baseline.macs == in_floats
    assert result.candidate.macs == in_floats + 16 * 16 * 8, "the shortcut is a convolution of ones in integers"
