"""Plans of PyTorch: they compute what ONNX Runtime computes of the same file, and say what they cannot do."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import BackendRefused, DataRefused, PlanRefused
from edgetui.engine.library.recipes import PACKAGED, read_recipe
from edgetui.engine.schema.settings import BackendSettings, TorchSettings
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.reporter import NullReporter
from networks import lstm, transformer
from onnx import TensorProto, helper
from steps import lowered

torch = pytest.importorskip("torch", reason="needs torch")

from edgetui.engine.backends.torch import compilation  # noqa: E402
from edgetui.engine.backends.torch.adapter import Torch  # noqa: E402 - after the skip, as in every test of PyTorch

SETTINGS = BackendSettings(name="torch", torch=TorchSettings(device="cpu", threads=1))
DIGITS = PACKAGE / "profiles" / "demo" / "digits.onnx"
RECIPES = ("fp32", "fp16", "int8", "int8-affine", "prune-5-fp16", "weights-8", "weights-4")


def recipe(name: str) -> Recipe:
    return Recipe() if name == "fp32" else read_recipe(PACKAGED / f"{name}.toml")


def one_node(path: Path, operator: str, kind: int = TensorProto.FLOAT, shape: tuple = (1, 3), **attributes: object) -> Path:
    value = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    domain = str(attributes.pop("domain", ""))
    node = helper.make_node(operator, ["x"], ["y"], name="/odd/one", domain=domain, **attributes)
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    onnx.save(helper.make_model(helper.make_graph([node], "g", value[:1], value[1:]), opset_imports=opsets, ir_version=8), path)
    return path


def same_as_onnx_runtime(file: Path, folder: Path, share: float, settings: BackendSettings = SETTINGS) -> None:
    """Outputs of a plan are those of its file, but for `share` of the largest value."""
    plan = folder / "torch.onnx"
    Torch(folder / "compiled").build(file, plan, settings, NullReporter())
    session = Torch(folder / "compiled").load(plan, settings)
    reference = OnnxRuntime().load(file, BackendSettings(graph="basic", threads=1))
    draw = np.random.default_rng(1)
    for _ in range(3):
        feeds = {
            tensor.name: draw.integers(0, 9, tensor.shape)
            if tensor.dtype == "int64"
            else draw.standard_normal(tensor.shape).astype(np.float32)
            for tensor in session.inputs
        }
        found = session.run(feeds)
        for name, expected in reference.run(feeds).items():
            assert found[name].dtype == expected.dtype
            assert found[name].shape == expected.shape
            assert np.ptp(expected) > 0
            assert np.abs(found[name] - expected).max() <= share * np.abs(expected).max()
    session.close()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_computes_what_its_file_says(tmp_path, name):
    file = lowered(DIGITS, recipe(name), tmp_path, "torch")
    # Half precision is rounded at every node here, and after some only in ONNX Runtime; integers move by a step at their edges.
    share = 1e-5 if name in ("fp32", "weights-8", "weights-4") else 2e-2
    same_as_onnx_runtime(file, tmp_path, share)


@pytest.mark.parametrize("model", ["resnet20_cifar10", "ultraface_rfb320"])
@pytest.mark.parametrize("name", ["fp32", "int8"])
def test_real_networks(shared, tmp_path, model, name):
    file = lowered(shared / "models" / f"{model}.onnx", recipe(name), tmp_path, "torch")
    same_as_onnx_runtime(file, tmp_path, 1e-4 if name == "fp32" else 0.1)


@pytest.mark.parametrize("name", ["fp32", "int8", "fp16"])
def test_a_transformer(tmp_path, name):
    same_as_onnx_runtime(
        lowered(transformer(tmp_path / "t.onnx"), recipe(name), tmp_path, "torch"), tmp_path, 1e-5 if name == "fp32" else 5e-2
    )


@pytest.mark.parametrize("name", ["fp32", "int8"])
def test_an_lstm(tmp_path, name):
    file = lowered(lstm(tmp_path / "l.onnx"), recipe(name), tmp_path, "torch")
    same_as_onnx_runtime(file, tmp_path, 1e-5 if name == "fp32" else 5e-2)


def test_a_model_with_functions_of_its_own(tmp_path):
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[4] x) => (float[4] y) { y = own.twice(x) }
        <domain: "own", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    session = Torch().load(tmp_path / "m.onnx", SETTINGS)
    assert session.run({"x": np.float32([1, 2, 3, 4])})["y"].tolist() == [2, 4, 6, 8]


def test_int8_is_lowered_with_all_its_bits_and_no_filled_channels(tmp_path):
    model = onnx.load(lowered(DIGITS, recipe("int8"), tmp_path, "torch"))
    weights = [
        onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == TensorProto.INT8 and len(t.dims) == 4
    ]
    assert max(np.abs(array.astype(int)).max() for array in weights) == 127
    assert min(array.shape[1] for array in weights) == 1


def test_a_plan_says_who_built_it_and_stays_an_onnx_file(tmp_path):
    plan = tmp_path / "p.onnx"
    told = Torch().build(lowered(DIGITS, Recipe(), tmp_path, "torch"), plan, SETTINGS, NullReporter())
    assert told.endswith("12 nodes eager")
    stamp = json.loads({entry.key: entry.value for entry in onnx.load(plan).metadata_props}["edgetui.plan.torch"])
    assert stamp["torch"] == torch.__version__
    assert (stamp["mode"], stamp["device"], len(stamp["onnx_sha256"])) == ("eager", "cpu", 64)
    OnnxRuntime().load(plan, BackendSettings(threads=1)).close()


def test_the_stamp_says_version_mode_device_and_threads():
    stamp = Torch().stamp(SETTINGS)
    assert (stamp.name, stamp.version, stamp.mode) == ("torch", torch.__version__, "eager")
    assert (stamp.device, stamp.threads, stamp.tf32) == ("cpu", 1, None)


def test_what_is_timed_is_a_whole_inference_and_needs_nothing_more(tmp_path):
    file = lowered(DIGITS, Recipe(), tmp_path, "torch")
    session = Torch().load(file, SETTINGS)
    ran = []
    infer = session._infer
    session._infer = lambda *given: ran.append(given) or infer(*given)
    once = session.timed({"image": np.ones((1, 1, 8, 8), np.float32)})
    ran.clear()
    once()
    assert [tuple(given[0].shape) for given in ran] == [(1, 1, 8, 8)]
    assert session.device_ms() is None
    assert session.plan_bytes() is None
    session.close()


def test_outputs_are_no_windows_into_what_was_given(tmp_path):
    session = Torch().load(one_node(tmp_path / "m.onnx", "Identity"), SETTINGS)
    given = np.ones((1, 3), np.float32)
    found = session.run({"x": given})["y"]
    given[:] = 7
    assert found.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(
    ("operator", "form", "said"),
    [
        ("Det", {"shape": (1, 3, 3)}, "node /odd/one is of operator Det"),
        ("FastGelu", {"domain": "com.microsoft"}, "node /odd/one is of operator com.microsoft.FastGelu"),
        ("Cast", {"to": TensorProto.FLOAT8E4M3FN}, r"node /odd/one \(Cast\): its type is FLOAT8E4M3FN"),
        ("Transpose", {"perm": [0, 1, 2]}, r"node /odd/one \(Transpose\) cannot be executed in PyTorch"),
    ],
)
def test_what_cannot_be_built_names_its_node(tmp_path, operator, form, said):
    file = one_node(tmp_path / "m.onnx", operator, **form)
    with pytest.raises(BackendRefused, match=said) as caught:
        Torch().build(file, tmp_path / "p.onnx", SETTINGS, NullReporter())
    assert "--backend onnxruntime" in caught.value.fix
    assert not (tmp_path / "p.onnx").exists()


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({}, "no samples for input x"),
        ({"x": np.ones((2, 3), np.float32)}, r"input x is \[2, 3\] where the model wants \[1, 3\]"),
        ({"x": np.ones((1, 3))}, "given as float64 where the model wants float"),
    ],
)
def test_samples_that_do_not_fit_are_refused(tmp_path, feeds, said):
    session = Torch().load(one_node(tmp_path / "m.onnx", "Relu"), SETTINGS)
    for call in (session.run, session.timed):
        with pytest.raises(DataRefused, match=said):
            call(feeds)


def test_plans_of_others_and_files_that_are_none_are_refused(tmp_path):
    file = one_node(tmp_path / "m.onnx", "Relu")
    OnnxRuntime().build(file, tmp_path / "ort.onnx", BackendSettings(threads=1), NullReporter())
    (tmp_path / "text.onnx").write_text("no model")
    for name, said in (("ort", "a plan of onnxruntime"), ("text", "text.onnx"), ("gone", "gone.onnx")):
        with pytest.raises(PlanRefused, match=said):
            Torch().load(tmp_path / f"{name}.onnx", SETTINGS)
    with pytest.raises(PlanRefused, match="input x has axes without a size"):
        Torch().load(one_node(tmp_path / "open.onnx", "Relu", shape=("n", 3)), SETTINGS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a Python without torch for a GPU")
def test_a_gpu_that_is_not_there_is_refused_when_it_is_asked_for():
    for device, refused in (("cuda", True), ("auto", False)):
        settings = msgspec.structs.replace(SETTINGS, torch=TorchSettings(device=device))
        if refused:
            with pytest.raises(BackendRefused, match="sees no GPU") as caught:
                Torch().check(settings, execute=True)
            assert "--device cpu" in caught.value.fix
        else:
            assert Torch().stamp(settings).device == "cpu"


def test_a_closed_session_holds_no_weights_until_garbage_is_collected(tmp_path):
    file = lowered(DIGITS, Recipe(), tmp_path, "torch")

    def weights() -> int:
        return sum(type(one) is torch.Tensor and one.numel() > 1000 for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = weights()
        session = Torch().load(file, SETTINGS)
        session.run({tensor.name: np.zeros(tensor.shape, np.float32) for tensor in session.inputs})
        assert weights() > before
        session.close()
        assert weights() == before
    finally:
        gc.enable()


COMPILED = msgspec.structs.replace(SETTINGS, torch=TorchSettings(mode="compiled", device="cpu", threads=1))


def test_compiled_computes_the_same_and_keeps_its_code_where_it_was_told(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "code"))
    same_as_onnx_runtime(lowered(DIGITS, recipe("int8"), tmp_path, "torch"), tmp_path, 2e-2, COMPILED)
    assert list((tmp_path / "code").rglob("*.so"))


def test_without_a_compiler_compiling_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BackendRefused, match=r"torch.compile needs a C\+\+ compiler") as caught:
        Torch().check(COMPILED, execute=True)
    assert "--mode eager" in caught.value.fix
    Torch().check(SETTINGS, execute=True)


def test_a_compiler_that_fails_is_told_in_words(tmp_path, monkeypatch):
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\necho 'Python.h: No such file or directory' >&2\nexit 1\n")
    broken.chmod(0o700)
    monkeypatch.setenv("CXX", str(broken))
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (None, str(broken)))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "code"))
    with pytest.raises(BackendRefused, match=r"torch\.compile needs a C\+\+ compiler") as caught:
        Torch().build(one_node(tmp_path / "m.onnx", "Elu"), tmp_path / "p.onnx", COMPILED, NullReporter())
    assert "--mode eager" in caught.value.fix


def test_compiled_code_is_kept_in_a_folder_that_nobody_else_writes_to(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    compilation.prepare(tmp_path / "compiled")
    assert os.environ.pop("TORCHINDUCTOR_CACHE_DIR") == str(tmp_path / "compiled")
    assert (tmp_path / "compiled").stat().st_mode & 0o777 == 0o700
