"""Plans of ONNX Runtime: what they compute, what they are tied to, and how refusals read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime, _size_bytes
from edgetui.engine.errors import BackendRefused, DataRefused, EdgetuiError, PlanRefused, StorageRefused
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.system.cpu import logical_cores, physical_cores, read_processor
from edgetui.engine.system.reporter import NullReporter
from onnx import TensorProto as Type
from onnx import helper, numpy_helper

SETTINGS = BackendSettings(threads=1)
BACKEND = OnnxRuntime()


def node_model(
    path: Path, operator: str, domain: str = "", kind: int = Type.FLOAT, opset: int = 17, **attributes: object
) -> Path:
    """One node named `odd` between an input and an output of shape (1, 3)."""
    value = [helper.make_tensor_value_info(name, kind, [1, 3]) for name in ("x", "y")]
    node = helper.make_node(operator, ["x", *attributes.pop("more", ())], ["y"], name="odd", domain=domain, **attributes)
    graph = helper.make_graph([node], "g", value[:1], value[1:])
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def convolution(tmp_path_factory) -> Path:
    """Conv, Relu, pooling and Gemm, with a dynamic batch and metadata of its own."""
    draw = np.random.default_rng(0)
    weights = {"w": (8, 3, 3, 3), "b": (8,), "g": (8, 4)}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "g"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", Type.FLOAT, ["batch", 3, 16, 16])],
        [helper.make_tensor_value_info("y", Type.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(draw.standard_normal(shape).astype(np.float32), name) for name, shape in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"edgetui.note": "kept"})
    path = tmp_path_factory.mktemp("models") / "conv.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture
def feeds() -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(1).standard_normal((2, 3, 16, 16)).astype(np.float32)}


@pytest.mark.parametrize("level", ["off", "basic", "extended", "all"])
def test_a_plan_computes_what_its_model_does(convolution, feeds, tmp_path, level):
    settings = BackendSettings(threads=1, graph=level)
    line = BACKEND.build(convolution, tmp_path / "plan.onnx", settings, NullReporter())
    plan, direct = BACKEND.load(tmp_path / "plan.onnx", settings), BACKEND.load(convolution, settings)
    np.testing.assert_allclose(plan.run(feeds)["y"], direct.run(feeds)["y"], rtol=1e-5, atol=1e-6)
    assert "MB" in line
    assert plan.inputs == direct.inputs
    assert (plan.inputs[0].name, plan.inputs[0].dtype, plan.inputs[0].shape) == ("x", "float", ("batch", 3, 16, 16))
    assert onnx.load(tmp_path / "plan.onnx").metadata_props[0].value == "kept"
    plan.close()


def test_a_session_that_takes_turns_computes_the_same(convolution, feeds):
    settings = BackendSettings(threads=2)
    alone, cooperative = BACKEND.load(convolution, settings), BACKEND.load(convolution, settings, cooperative=True)
    assert (alone.run(feeds)["y"] == cooperative.run(feeds)["y"]).all()


def test_large_weights_go_beside_the_plan(convolution, feeds, tmp_path, monkeypatch):
    monkeypatch.setattr("edgetui.engine.backends.onnxruntime.adapter._EXTERNAL_ABOVE_BYTES", 1)
    monkeypatch.setattr("edgetui.engine.backends.onnxruntime.adapter._EXTERNAL_LEAST_BYTES", 64)
    BACKEND.build(convolution, tmp_path / "plan.onnx", SETTINGS, NullReporter())
    assert (tmp_path / "plan.onnx.data").exists()
    plan = BACKEND.load(tmp_path / "plan.onnx", SETTINGS)
    np.testing.assert_allclose(plan.run(feeds)["y"], BACKEND.load(convolution, SETTINGS).run(feeds)["y"], rtol=1e-5, atol=1e-6)


def test_the_timed_call_infers_each_time_and_leaves_the_feeds_alone(convolution, feeds):
    session = BACKEND.load(convolution, SETTINGS)
    kept = feeds["x"].copy()
    once = session.timed(feeds)
    for _ in range(3):
        once()
    assert (feeds["x"] == kept).all()


def test_outputs_of_a_run_are_fresh(convolution, feeds):
    session = BACKEND.load(convolution, SETTINGS)
    first = session.run(feeds)["y"]
    kept = first.copy()
    session.run({"x": feeds["x"] * 2})
    assert (first == kept).all()


def test_the_stamp_says_version_threads_and_options():
    stamp = BACKEND.stamp(BackendSettings())
    assert stamp.version
    assert stamp.threads == physical_cores() >= 1
    assert (stamp.graph, stamp.provider) == ("all", "CPUExecutionProvider")
    assert BACKEND.stamp(BackendSettings(threads=3)).threads == 3
    assert BACKEND.target() in ("onnxruntime-x86", "onnxruntime-arm")


def laid_out(root: Path, flags: str, siblings: dict[int, str]) -> Path:
    (root / "proc").mkdir(parents=True)
    (root / "proc/cpuinfo").write_text(f"processor : 0\nflags : fpu {flags}\n\n")
    for cpu, text in siblings.items():
        folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(text + "\n")
    return root


def test_a_plan_is_refused_on_another_processor(convolution, tmp_path, monkeypatch):
    BACKEND.build(convolution, tmp_path / "plan.onnx", SETTINGS, NullReporter())
    monkeypatch.setenv("EDGETUI_ROOT", str(laid_out(tmp_path / "root", "avx", {})))
    assert read_processor().instruction_sets.endswith(" avx")
    with pytest.raises(PlanRefused, match="built for another processor") as refused:
        BACKEND.load(tmp_path / "plan.onnx", SETTINGS)
    assert "edgetui build" in refused.value.fix
    BACKEND.load(convolution, SETTINGS)  # a model is not tied to one


def test_siblings_are_one_core_and_a_quota_counts(tmp_path, monkeypatch):
    allowed = sorted(os.sched_getaffinity(0))
    pair = f"{allowed[0]}-{allowed[-1]}"
    root = laid_out(tmp_path / "root", "avx", dict.fromkeys(allowed, pair))
    monkeypatch.setenv("EDGETUI_ROOT", str(root))
    assert (physical_cores(), logical_cores()) == (1, len(allowed))
    other = laid_out(tmp_path / "other", "avx", {cpu: str(cpu) for cpu in allowed})
    monkeypatch.setenv("EDGETUI_ROOT", str(other))
    assert physical_cores() == len(allowed)
    (other / "sys/fs/cgroup").mkdir(parents=True)
    (other / "sys/fs/cgroup/cpu.max").write_text("100000 100000\n")
    assert (physical_cores(), logical_cores()) == (1, 1)


@pytest.mark.parametrize(
    ("operator", "domain", "what"),
    [("FooBar", "", r"node odd \(FooBar\)"), ("Grid", "ai.foo", r"ai\.foo:Grid"), ("Relu", "", "opset 99")],
)
def test_an_operator_nobody_knows_is_named(tmp_path, operator, domain, what):
    model = node_model(tmp_path / "m.onnx", operator, domain, opset=99 if operator == "Relu" else 17)
    with pytest.raises(BackendRefused, match=what):
        BACKEND.build(model, tmp_path / "plan.onnx", SETTINGS, NullReporter())
    assert not (tmp_path / "plan.onnx").exists()


def test_a_type_without_a_kernel_names_its_node(tmp_path):
    model = node_model(tmp_path / "m.onnx", "BitShift", kind=Type.UINT16, more=["x"], direction="LEFT")
    with pytest.raises(BackendRefused, match=r"node odd \(BitShift\)"):
        BACKEND.load(model, SETTINGS)


def test_weights_beside_the_model_count_and_other_files_do_not(convolution, tmp_path):
    onnx.save(onnx.load(convolution), tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").write_bytes((tmp_path / "w.bin").read_bytes().ljust(3_000_000, b"\0"))
    (tmp_path / "other.bin").write_bytes(bytes(3_000_000))
    assert _size_bytes(tmp_path / "m.onnx") == (tmp_path / "m.onnx").stat().st_size + 3_000_000


@pytest.mark.parametrize("cut", [0, 20, 200, -1])
def test_a_truncated_file_is_refused(convolution, tmp_path, cut):
    (tmp_path / "cut.onnx").write_bytes(convolution.read_bytes()[:cut])
    with pytest.raises(PlanRefused, match=r"truncated|not an ONNX file"):
        BACKEND.load(tmp_path / "cut.onnx", SETTINGS)


@pytest.mark.parametrize("content", [b"hello world, this is no model", b"\x00" * 64, b"\xff" * 64, b"PK\x03\x04 a zip"])
def test_what_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(PlanRefused):
        BACKEND.load(tmp_path / "x.onnx", SETTINGS)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(PlanRefused, match="is not there"):
        BACKEND.load(tmp_path / "gone.onnx", SETTINGS)
    with pytest.raises(StorageRefused):
        BACKEND.build(node_model(tmp_path / "m.onnx", "Relu"), tmp_path / "no folder" / "plan.onnx", SETTINGS, NullReporter())


@pytest.mark.parametrize(
    "feeds",
    [
        {"x": np.zeros((1, 4), np.float32)},
        {"x": np.zeros((1, 1, 3), np.float32)},
        {"x": np.zeros((1, 3), np.int64)},
        {"z": np.zeros((1, 3), np.float32)},
        {},
    ],
)
def test_feeds_that_do_not_fit_are_refused_without_cpp_in_the_message(tmp_path, feeds):
    session = BACKEND.load(node_model(tmp_path / "m.onnx", "Relu"), SETTINGS)
    with pytest.raises(DataRefused) as refused:
        session.run(feeds)
    assert "ONNXRuntimeError" not in str(refused.value)


def test_missing_weights_name_their_file(convolution, tmp_path):
    onnx.save(onnx.load(convolution), tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(EdgetuiError, match=r"w\.bin"):
        BACKEND.load(tmp_path / "m.onnx", SETTINGS)


def test_an_old_model_is_loaded_and_refused_without_noise(shared, tmp_path):
    """The detector lists its initializers as inputs: ONNX Runtime would print a line for each."""
    bad = node_model(tmp_path / "bad.onnx", "FooBar")
    code = """
import sys
from pathlib import Path
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.errors import BackendRefused
from edgetui.engine.schema.spec import BackendSettings
OnnxRuntime().load(Path(sys.argv[1]), BackendSettings())
try:
    OnnxRuntime().load(Path(sys.argv[2]), BackendSettings())
except BackendRefused:
    print("refused")
"""
    model = shared / "models" / "ultraface_rfb320.onnx"
    ended = subprocess.run([sys.executable, "-c", code, str(model), str(bad)], capture_output=True, text=True, check=True)
    assert (ended.stdout.strip(), ended.stderr) == ("refused", "")


@pytest.mark.parametrize("opset", [13, 21, 23])
def test_signed_activations_before_a_matrix_product_with_a_bias(tmp_path: Path, opset: int) -> None:
    """What Arm gets of every transformer."""
    if opset == 23 and tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 24):
        pytest.skip("this onnxruntime has no QuantizeLinear of opset 23")
    draw = np.random.default_rng(1)
    held = {
        "s": np.float32(0.05), "z": np.int8(3), "w": draw.integers(-9, 9, (8, 4)).astype(np.int8), "t": np.float32(0.1),
        "b": draw.standard_normal(4).astype(np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("QuantizeLinear", ["r", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "t"], ["v"]),
        helper.make_node("MatMul", ["d", "v"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, Type.FLOAT, [1, 3, size]) for name, size in (("x", 8), ("y", 4))]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [numpy_helper.from_array(a, n) for n, a in held.items()])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), path)
    BACKEND.build(path, tmp_path / "plan.onnx", SETTINGS, NullReporter())
    x = draw.random((1, 3, 8)).astype(np.float32)
    expected = x @ (held["w"] * held["t"]) + held["b"]
    for plan in (path, tmp_path / "plan.onnx"):
        np.testing.assert_allclose(BACKEND.load(plan, SETTINGS).run({"x": x})["y"], expected, atol=0.3)
