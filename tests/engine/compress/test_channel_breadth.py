"""Networks of other people lose a quarter of their channels: valid, with the same outputs' shapes, and a fifth less work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.backends.tensorrt import build
from edgetui.engine.backends.tensorrt.build_messages import BuildRequest
from edgetui.engine.backends.tensorrt.installed import Installation
from edgetui.engine.compress.channels import prune
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.inspection.inspect import counts
from edgetui.engine.schema.settings import TensorRtSettings
from edgetui.engine.schema.steps import PruneChannels
from edgetui.engine.system.reporter import NullReporter
from nodes import Bench
from one_stage import DETECTORS, OneStage

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
HEAVY = ("bvlc_alexnet", "densenet121", "inception_v2", "resnet50", "vgg19", "zfnet512")
LARGEST = ("vgg19", "zfnet512")  # half a gigabyte and more, in the form of bvlc_alexnet
NAMES = sorted(path.stem.removeprefix("light_") for path in LIGHT.glob("light_*.onnx"))
GRAPHS = [
    pytest.param(name, marks=pytest.mark.rare if name in LARGEST else pytest.mark.long if name in HEAVY else ())
    for name in NAMES
]
BUILT = [pytest.param(name, marks=pytest.mark.rare if name in HEAVY else pytest.mark.long) for name in NAMES]
QUARTER = PruneChannels(amount=0.25, statistics=False, repair=False)


def cut(model: Path, folder: Path) -> tuple[Path, Path]:
    """The normal form, and what is left of it."""
    source, out, say = folder / "normal.onnx", folder / "cut.onnx", NullReporter()
    normalise(model, source, {}, say)
    prune(QUARTER, source, out, None, say)
    return source, out


def hold_against(source: Path, out: Path, folder: Path) -> None:
    """Valid, the same outputs' shapes, a fifth of the work gone."""
    before, after = load(source), load(out)
    if out.with_name(f"{out.name}.data").exists():
        onnx.checker.check_model(str(out), full_check=True)
    else:
        onnx.checker.check_model(after, full_check=True)
    was, now = counts(before, {})[2], counts(after, {})[2]
    assert was is not None
    assert now is not None
    assert now <= 0.8 * was
    bench = Bench(folder)
    feed = next(bench.feeds(before, 1))
    for got, expected in zip(bench.run(out, feed), bench.run(source, feed), strict=True):
        assert got.shape == expected.shape
        assert np.isfinite(got).all()


def built(rtx: Installation, file: Path, folder: Path) -> None:
    order = BuildRequest(onnx=str(file), out=str(folder / "plan"), module=rtx.module, settings=TensorRtSettings(target="sm_86"))
    build.build(order, rtx, lambda _: None)
    assert (folder / "plan").stat().st_size > 10_000


@pytest.mark.parametrize("graph", GRAPHS)
def test_graphs_of_the_package_onnx(graph: str, tmp_path: Path) -> None:
    source, out = cut(LIGHT / f"light_{graph}.onnx", tmp_path)
    hold_against(source, out, tmp_path)


@pytest.mark.parametrize("sliced", [False, True])
@pytest.mark.parametrize("kind", sorted(DETECTORS))
def test_one_stage_detectors(kind: str, sliced: bool, tmp_path: Path) -> None:
    model = Bench(tmp_path).save(DETECTORS[kind](OneStage(sliced=sliced)))
    source, out = cut(model, tmp_path)
    hold_against(source, out, tmp_path)


@pytest.mark.parametrize("kind", [*(pytest.param(kind, marks=pytest.mark.long) for kind in sorted(DETECTORS)), *BUILT])
def test_what_is_left_builds(kind: str, rtx: Installation, tmp_path: Path) -> None:
    make: Callable[[OneStage], onnx.ModelProto] | None = DETECTORS.get(kind)
    model = LIGHT / f"light_{kind}.onnx" if make is None else Bench(tmp_path).save(make(OneStage()))
    _, out = cut(model, tmp_path)
    built(rtx, out, tmp_path)


@pytest.mark.long
def test_what_is_left_of_the_face_detector_builds(shared: Path, rtx: Installation, tmp_path: Path) -> None:
    source, out = cut(shared / "models" / "ultraface_rfb320.onnx", tmp_path)
    hold_against(source, out, tmp_path)
    built(rtx, out, tmp_path)
