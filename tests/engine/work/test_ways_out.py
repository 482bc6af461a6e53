"""Advice leads to what the model can take: another backend is named only where it reads the model."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest
from edgetui.engine.advice.forecast import forecast
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.backends.tensorrt.installed import need_gpu
from edgetui.engine.errors import BackendRefused, EdgetuiError, Fix, ModelRefused
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.measure.inputs import random_inputs
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.splits import check, narrowed
from onnx import parser

PLAIN = "{ y = Relu(x) }"
PLUGIN = "{ y = TRT.EfficientNMS_TRT(x) }"
CONTRIB = "{ y = com.microsoft.FastGelu(x) }"

DECLARED = (
    "{ [nms] n, b, s, c = EfficientNMS_TRT<background_class=-1, box_coding=0, iou_threshold=0.5, max_output_boxes=9, "
    'plugin_version="1", score_activation=0, score_threshold=0.5>(x, x) r = ReduceMax<keepdims=0>(b) y = Add(x, r) }'
)
"""ONNX Runtime has the schema of that plugin, in ONNX's domain, and no kernel."""


def model(folder: Path, nodes: str) -> Path:
    domains = '"" : 17, "TRT" : 1, "com.microsoft" : 1, "own" : 1'
    made = parser.parse_model(f"<ir_version: 8, opset_import: [{domains}]> g (float[1,4] x) => (float[1,4] y) {nodes}")
    onnx.save(made, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.parametrize(("nodes", "elsewhere", "here"), [(PLAIN, True, True), (PLUGIN, False, False), (CONTRIB, False, True)])
def test_without_a_gpu_only_ways_are_named_that_the_model_can_go(
    nodes: str, elsewhere: bool, here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))  # where no GPU has a node
    with pytest.raises(BackendRefused) as refused:
        need_gpu()
    narrowed(refused.value, model(tmp_path, nodes))
    assert ("--target sm_86" in str(refused.value)) == elsewhere
    assert ("--backend onnxruntime" in str(refused.value)) == here


def test_a_pycuda_that_cannot_be_loaded_is_a_refusal_without_its_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    (tmp_path / "pycuda").mkdir()
    (tmp_path / "pycuda/__init__.py").touch()
    (tmp_path / "pycuda/driver.py").write_text(
        'import warnings; warnings.warn("no match"); raise ImportError("undefined symbol")'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pycuda", raising=False)
    monkeypatch.delitem(sys.modules, "pycuda.driver", raising=False)
    with pytest.raises(BackendRefused, match=r"pycuda cannot be imported \(undefined symbol\)"):
        need_gpu()
    assert not recwarn.list
    sys.modules.pop("pycuda")


def test_of_a_model_that_cannot_be_read_no_way_is_named(tmp_path: Path) -> None:
    error = EdgetuiError("it fails", fix=("mend it", Fix("go there", reads="onnxruntime")))
    assert str(error) == "it fails; mend it, or go there"
    (tmp_path / "model.onnx").write_bytes(b"no model")
    narrowed(error, tmp_path / "model.onnx")
    assert str(error) == "it fails; mend it"


def test_what_onnxruntime_cannot_read_is_refused_before_a_run_begins(tmp_path: Path) -> None:
    def spec(nodes: str) -> RunSpec:
        return RunSpec(model=str(model(tmp_path, nodes)), recipe=Recipe(), backend=BackendSettings())

    check(spec(CONTRIB), NullReporter())
    with pytest.raises(ModelRefused, match=r"EfficientNMS_TRT.*--backend tensorrt"):
        check(spec(PLUGIN), NullReporter())


@pytest.mark.parametrize(("nodes", "here"), [(PLAIN, True), (PLUGIN, False)])
def test_without_pytorch_onnxruntime_is_named_only_where_it_reads_the_model(
    nodes: str, here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model(tmp_path, nodes)
    monkeypatch.setitem(sys.modules, "torch", None)
    spec = RunSpec(model=str(path), recipe=Recipe(), backend=BackendSettings(name="torch"))
    with pytest.raises(BackendRefused) as refused:
        check(spec, NullReporter())
    narrowed(refused.value, path)
    assert ("--backend onnxruntime" in str(refused.value)) == here
    sentences = [line for line in forecast(spec, inspect(path, {}), (), None).errors if "needs PyTorch" in line]
    assert ["--backend onnxruntime" in line for line in sentences] == [here]


@pytest.mark.parametrize(
    ("nodes", "board"),
    [(PLUGIN, True), (DECLARED, True), ("{ y = own.Layer(x) }", False)],
)
def test_what_onnxruntime_does_not_know_leads_to_a_board_where_it_is_a_plugin(nodes: str, board: bool, tmp_path: Path) -> None:
    path = model(tmp_path, nodes)
    with pytest.raises(BackendRefused, match=r"onnxruntime does not know .*; export the model without it") as refused:
        OnnxRuntime().load(path, BackendSettings())
    narrowed(refused.value, path)
    assert ("--backend tensorrt on a board" in str(refused.value)) == board
    assert "opset" not in str(refused.value)


@pytest.mark.parametrize("kind", ["optional", "sequence", "string"])
def test_inputs_that_cannot_be_made_up_are_refused(kind: str) -> None:
    with pytest.raises(ModelRefused, match=f"input z is of type {kind}"):
        random_inputs((TensorFacts(name="z", dtype=kind),), {}, 0)
