"""Real plans, built with TensorRT-RTX for a GPU that is not here: every recipe, and networks of many kinds.

`EDGETUI_ALL_GRAPHS=1` adds every recipe on the face detector and the large graphs of the package `onnx`: minutes, and
gigabytes of memory.
"""

from __future__ import annotations

import os
from pathlib import Path

import onnx
import pytest
from edgetui.engine.backends.tensorrt import build
from edgetui.engine.backends.tensorrt import manifest as trt_manifest
from edgetui.engine.backends.tensorrt.adapter import TensorRt
from edgetui.engine.backends.tensorrt.build_messages import BuildMessage, BuildProgress, BuildRequest, Built, LogLine
from edgetui.engine.backends.tensorrt.installed import Installation
from edgetui.engine.errors import BackendRefused
from edgetui.engine.graph.load import load
from edgetui.engine.library.recipes import PACKAGED, read_recipe
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.system.hashing import sha256_of
from edgetui.engine.system.reporter import NullReporter
from networks import lstm, transformer
from refusals import lint_lines
from steps import lowered

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
RECIPES = sorted(path.stem for path in PACKAGED.glob("*.toml") if "train." not in path.read_text())
SMALL = [("squeezenet", "int8"), ("squeezenet", "weights-4"), ("shufflenet", "int8"), ("inception_v1", "fp16")]
LARGE = [
    (name, recipe)
    for name in ("resnet50", "densenet121", "inception_v1", "inception_v2", "shufflenet", "squeezenet", "vgg19")
    for recipe in ("fp16", "int8", "prune-5", "weights-4", "weights-8")
]
ALL = bool(os.environ.get("EDGETUI_ALL_GRAPHS"))
GRAPHS = LARGE if ALL else SMALL
# One recipe of each kind: the others differ in their numbers only. On the face detector each costs 3 s.
SLOW = ("prune-50-repair", "sparse-2-4")  # half a minute of least squares each, for a graph of the same form
KINDS = ("int8", "fp16", "prune-5-fp16", "weights-4")
PAIRS = [
    *(
        pytest.param(
            "resnet20_cifar10", name, marks=() if name in KINDS else pytest.mark.rare if name in SLOW else pytest.mark.long
        )
        for name in RECIPES
    ),
    *(pytest.param("ultraface_rfb320", name, marks=pytest.mark.long) for name in (RECIPES if ALL else KINDS)),
]
ELSEWHERE = TensorRtSettings(target="sm_86")


def built(rtx: Installation, file: Path, folder: Path) -> Built:
    """The plan of a lowered file, built in this process."""
    assert lint_lines(load(file), "tensorrt") == []
    order = BuildRequest(onnx=str(file), out=str(folder / "plan"), module=rtx.module, settings=ELSEWHERE)
    made = build.build(order, rtx, lambda _: None)
    assert (folder / "plan").stat().st_size > 10_000
    return made


@pytest.mark.parametrize(("model", "recipe"), PAIRS)
def test_every_recipe_builds(model, recipe, rtx, shared, tmp_path):
    file = lowered(shared / "models" / f"{model}.onnx", read_recipe(PACKAGED / f"{recipe}.toml"), tmp_path)
    assert built(rtx, file, tmp_path).precision == "strongly typed"


@pytest.mark.long
@pytest.mark.parametrize(("graph", "recipe"), GRAPHS)
def test_graphs_of_the_package_onnx_build(graph, recipe, rtx, tmp_path):
    file = lowered(LIGHT / f"light_{graph}.onnx", read_recipe(PACKAGED / f"{recipe}.toml"), tmp_path)
    built(rtx, file, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("make", [transformer, lstm])
@pytest.mark.parametrize("recipe", ["int8", "fp16", "prune-30-int8", "weights-4"])
def test_a_transformer_and_an_lstm_build(make, recipe, rtx, tmp_path):
    file = lowered(make(tmp_path / "model.onnx"), read_recipe(PACKAGED / f"{recipe}.toml"), tmp_path)
    built(rtx, file, tmp_path)


@pytest.mark.long
def test_int8_and_fp16_together_build_smaller_than_fp32(rtx, shared, tmp_path):
    from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, Recipe

    sizes = {}
    model = shared / "models" / "resnet20_cifar10.onnx"
    for name, steps in (("fp32", ()), ("fp16", (PrecisionFp16(),)), ("mixed", (QuantizeInt8(), PrecisionFp16()))):
        (tmp_path / name).mkdir()
        built(rtx, lowered(model, Recipe(step=steps), tmp_path / name), tmp_path / name)
        sizes[name] = (tmp_path / name / "plan").stat().st_size
    assert sizes["fp16"] < 0.8 * sizes["fp32"]


def test_phases_are_told_up_to_the_end(rtx, shared, tmp_path):
    file = lowered(shared / "models" / "resnet20_cifar10.onnx", read_recipe(PACKAGED / "fp16.toml"), tmp_path)
    said: list[BuildMessage] = []
    build.build(BuildRequest(onnx=str(file), out=str(tmp_path / "p"), module=rtx.module, settings=ELSEWHERE), rtx, said.append)
    shares = [one for one in said if isinstance(one, BuildProgress)]
    assert shares[-1].done == 1.0
    assert {"Building engine", "Optimizing graph", "Timing tactics"} <= {one.text for one in shares}


class Heard(NullReporter):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.furthest = 0.0

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        if total:
            self.furthest = max(self.furthest, done / total)


def test_a_plan_in_a_process_of_its_own_has_a_manifest_beside_it(rtx, shared, tmp_path):
    file = lowered(shared / "models" / "resnet20_cifar10.onnx", read_recipe(PACKAGED / "int8.toml"), tmp_path)
    say = Heard()
    plan = tmp_path / "r.plan"
    TensorRt().build(file, plan, BackendSettings(name="tensorrt", tensorrt=ELSEWHERE), say)
    manifest = trt_manifest.read(plan)
    assert manifest is not None
    assert (manifest.module, manifest.tensorrt, manifest.targets) == ("tensorrt_rtx", rtx.version, ("sm_86",))
    assert manifest.plan_sha256 == sha256_of([plan])
    assert manifest.onnx_sha256 == sha256_of([file])
    assert [(tensor.name, tensor.shape) for tensor in manifest.inputs] == [("image", (1, 3, 32, 32))]
    assert say.furthest == 1.0
    assert any(note.startswith("memory: about ") for note in say.notes)
    assert [text for text in say.warnings if "not run here" in text]


def test_a_gpu_that_it_does_not_build_for_is_refused_with_those_it_does(rtx, shared, tmp_path):
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(target="sm_87"))
    with pytest.raises(BackendRefused) as refused:
        TensorRt().build(shared / "models" / "ultraface_rfb320.onnx", tmp_path / "p", settings, NullReporter())
    assert "sm_87" in refused.value.what
    assert "sm_86" in refused.value.fix


@pytest.mark.parametrize(("here", "warned"), [("sm_86", False), ("sm_130", True)])
def test_without_a_target_it_builds_for_the_gpu_that_is_here_and_says_when_it_does_not_list_it(
    here, warned, rtx, shared, tmp_path
):
    file = lowered(shared / "models" / "resnet20_cifar10.onnx", read_recipe(PACKAGED / "fp16.toml"), tmp_path)
    said: list[BuildMessage] = []
    build.build(BuildRequest(onnx=str(file), out=str(tmp_path / "p"), module=rtx.module, here=here), rtx, said.append)
    assert (tmp_path / "p").stat().st_size > 10_000
    warnings_told = [one.text for one in said if isinstance(one, LogLine) and one.warning]
    assert bool(warnings_told) is warned
    assert all("does not list the GPU that is here (sm_130; it lists sm_" in text for text in warnings_told)


def test_a_gpu_between_those_that_it_lists_is_refused_before_a_build(rtx, shared, tmp_path, monkeypatch):
    file = shared / "models" / "ultraface_rfb320.onnx"
    with pytest.raises(build.Stopped) as stopped:
        build.build(BuildRequest(onnx=str(file), out=str(tmp_path / "p"), module=rtx.module, here="sm_90"), rtx, print)
    assert "does not run on the GPU that is here (sm_90): it lists sm_75, sm_80" in stopped.value.refused.what
    assert [fix.value for fix in stopped.value.refused.fixes if fix.setting == "backend"] == ["onnxruntime"]
    assert rtx.refuse("sm_86") is rtx.refuse("sm_130") is None
    assert not (tmp_path / "p").exists()


def test_memory_to_try_kernels_in_is_a_power_of_two_so_that_it_is_taken(rtx, shared, tmp_path, capfd):
    said: list[BuildMessage] = []
    settings = TensorRtSettings(tactic_memory_mb=3000)
    file = shared / "models" / "ultraface_rfb320.onnx"
    request = BuildRequest(onnx=str(file), out=str(tmp_path / "p"), module=rtx.module, settings=settings, here="sm_86")
    build.build(request, rtx, said.append)
    assert any("2048 MB to try kernels in" in one.text for one in said if isinstance(one, LogLine))
    assert "setMemoryPoolLimit" not in capfd.readouterr().err


def test_what_the_parser_refuses_is_told_with_its_node(rtx, tmp_path):
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("Det", ["x"], ["y"], name="/head/det")],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3, 3])],
        [helper.make_tensor_value_info("y", 1, [1])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    with pytest.raises(BackendRefused, match=r"/head/det \(Det\)"):
        TensorRt().build(
            tmp_path / "m.onnx", tmp_path / "p", BackendSettings(name="tensorrt", tensorrt=ELSEWHERE), NullReporter()
        )
    assert lint_lines(load(tmp_path / "m.onnx"), "tensorrt")[0].startswith("/head/det")


def test_an_axis_without_a_size_is_told_with_the_flag_that_gives_it(rtx, shared, tmp_path):
    with pytest.raises(BackendRefused) as refused:
        TensorRt().build(
            shared / "models" / "resnet20_cifar10.onnx",
            tmp_path / "p",
            BackendSettings(name="tensorrt", tensorrt=ELSEWHERE),
            NullReporter(),
        )
    assert refused.value.fix == "give each ? a number: --shape image=?x3x32x32"
