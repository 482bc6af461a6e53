"""Boards whose TensorRT is bound to an older Python: plans built and timed by `trtexec`, here a script with its surface."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import fake_trtexec
import numpy as np
import onnx
import pytest
from edgetui.engine.backends.tensorrt import trtexec_options
from edgetui.engine.backends.tensorrt.adapter import TensorRt
from edgetui.engine.errors import BackendRefused, DataRefused
from edgetui.engine.runs.queries import BenchQuestion, PlanQuestion
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, Recipe
from edgetui.engine.schema.workloads import Paced
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.bench import bench
from edgetui.engine.work.plan_layers import inspect_plan
from networks import lstm
from steps import lowered

SETTINGS = BackendSettings(name="tensorrt")


@pytest.fixture
def board(tmp_path, monkeypatch) -> Path:
    """A root with a GPU's node and a trtexec of TensorRT 8.5 where JetPack puts it; no TensorRT in this Python."""
    fake_trtexec.install(tmp_path / "root" / "usr/src/tensorrt/bin", "8502", fake_trtexec.OLD)
    (tmp_path / "root" / "dev").mkdir()
    (tmp_path / "root" / "dev" / "nvhost-gpu").touch()
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("edgetui.engine.backends.tensorrt.installed.MODULES", ())
    return tmp_path


def asked(board: Path) -> list[list[str]]:
    return [json.loads(line) for line in (board / "root/usr/src/tensorrt/bin/asked").read_text().splitlines()]


def built(board: Path, steps: tuple = (QuantizeInt8(calibrator="minmax"), PrecisionFp16(keep=("gather1",)))) -> Path:
    file = lowered(lstm(board / "m.onnx"), Recipe(step=steps), board, TensorRt().target())
    TensorRt(board / "timing").build(file, board / "m.plan", SETTINGS, NullReporter())
    return board / "m.plan"


@pytest.mark.parametrize(
    ("number", "version"), [("8201", "8.2.1"), ("8502", "8.5.2"), ("100300", "10.3.0"), ("101303", "10.13.3")]
)
def test_versions_are_read_from_the_banner(number, version, tmp_path):
    assert trtexec_options.options(fake_trtexec.install(tmp_path, number, fake_trtexec.NEW))[0] == version


def test_flags_say_the_precision_and_kept_nodes_stay_in_fp32(board):
    assert TensorRt().target() == "tensorrt-flags"
    plan = built(board)
    (argv,) = asked(board)
    assert {"--fp16", "--int8", "--buildOnly", "--precisionConstraints=obey"} <= set(argv)
    assert "--layerPrecisions=gather1:fp32" in argv
    (cache,) = (word for word in argv if word.startswith("--timingCacheFile="))
    assert cache.startswith(f"--timingCacheFile={board}/timing/tensorrt-8.5.2-")
    manifest = json.loads(plan.with_name("m.plan.json").read_text())
    assert (manifest["module"], manifest["tensorrt"], manifest["precision"]) == ("tensorrt", "8.5.2", "flags FP16 and INT8")


def test_where_it_knows_strong_typing_it_is_asked_for_that(board):
    fake_trtexec.install(board / "root/usr/src/tensorrt/bin", "100300", fake_trtexec.NEW)
    trtexec_options.options.cache_clear()
    assert TensorRt().target() == "tensorrt"
    built(board)
    (argv,) = asked(board)
    assert {"--stronglyTyped", "--skipInference"} <= set(argv)
    assert not {"--fp16", "--int8"} & set(argv)


@pytest.mark.parametrize("tf32", [True, False])
def test_tf32_is_its_own_default_and_off_a_flag(tf32, board):
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(tf32=tf32))
    TensorRt().build(lstm(board / "m.onnx"), board / "m.plan", settings, NullReporter())
    assert ("--noTF32" in asked(board)[0]) is not tf32


def test_out_of_memory_is_tried_again_with_less(board, monkeypatch):
    monkeypatch.setenv("FAKE_MEMORY_MB", "300")
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(workspace_mb=1000))
    say = NullReporter()
    TensorRt().build(lstm(board / "m.onnx"), board / "m.plan", settings, say)
    sizes = [int(word.split(":")[1]) for argv in asked(board) for word in argv if word.startswith("--memPoolSize")]
    assert sizes[0] == 1000
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= 300
    assert "with less memory" in say.warnings[-1]


def test_outputs_come_back_and_blocks_have_the_times_of_the_command(board):
    plan = built(board)
    session = TensorRt().load(plan, SETTINGS)
    feeds = {"sequence": np.random.default_rng(0).standard_normal((12, 1, 16)).astype(np.float32)}
    out = session.run(feeds)["out"]
    assert out.shape == (1, 3)
    assert not np.array_equal(out, session.run({"sequence": feeds["sequence"] * 2})["out"])
    times = session.blocks(feeds)(1.0)
    assert times[:2].tolist() == [1_000_000, 1_001_000]
    assert session.device_ms() == 0.7
    with pytest.raises(DataRefused, match="where the plan wants"):
        session.run({"sequence": feeds["sequence"][:1]})


@pytest.mark.parametrize("wanted", [True, False])
def test_a_cuda_graph_is_its_option_too(wanted, board):
    plan = built(board)
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(cuda_graph=wanted))
    session = TensorRt().load(plan, settings)
    session.blocks({"sequence": np.zeros((12, 1, 16), np.float32)})(0.1)
    assert ("--useCudaGraph" in asked(board)[-1]) is wanted
    assert TensorRt().stamp(settings).provider.endswith(", CUDA graph") is wanted


def test_a_plan_is_timed_and_looked_into(board):
    plan = built(board)
    metrics = bench(board, BenchQuestion(model=str(plan), backend=SETTINGS, preset="quick"), NullReporter())
    assert metrics.latency_ms.mean == pytest.approx(1.003, abs=0.001)
    assert metrics.latency_ms.n >= 200
    assert metrics.load_ms is None
    facts = inspect_plan(board, PlanQuestion(plan=str(plan)), nullcontext, NullReporter())
    assert [(layer.name, layer.precision, layer.milliseconds) for layer in facts.layers] == [("conv", "FP16", 0.5)]
    with pytest.raises(BackendRefused, match="flat out only"):
        bench(board, BenchQuestion(model=str(plan), backend=SETTINGS, workload=Paced(), preset="quick"), NullReporter())


def test_without_a_gpu_the_command_alone_does_not_do(board):
    (board / "root" / "dev" / "nvhost-gpu").unlink()
    with pytest.raises(BackendRefused, match="no NVIDIA GPU for trtexec"):
        TensorRt().check(SETTINGS, execute=True)


def test_outputs_that_are_no_numbers_are_read_as_such(board):
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[3] x) => (float[3] y, float[3] z) { y = Log(x) z = Neg(y) }'
    )
    onnx.save(model, board / "m.onnx")
    TensorRt().build(board / "m.onnx", board / "m.plan", SETTINGS, NullReporter())
    made = TensorRt().load(board / "m.plan", SETTINGS).run({"x": np.array([-1, 0, 1], np.float32)})
    assert np.isnan(made["y"][0])
    assert made["y"].tolist()[1:] == [-np.inf, 0]
    assert made["z"].tolist()[1:] == [np.inf, 0]


@pytest.mark.parametrize(("sparse", "count"), [(True, 2), (False, None)])
def test_how_many_layers_got_a_sparse_kernel_is_read_from_its_log(sparse, count, board):
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(sparse=sparse))
    TensorRt().build(lstm(board / "m.onnx"), board / "m.plan", settings, NullReporter())
    assert ("--sparsity=enable" in asked(board)[0]) is sparse
    assert json.loads((board / "m.plan.json").read_text())["sparse_layers"] == count


def test_a_command_that_gives_no_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "trtexec"
    program.write_text("#!/bin/sh\nsleep 600 & sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(trtexec_options, "_LONGEST_HELP_S", 0.5)
    with pytest.raises(BackendRefused, match=r"gives no answer within 0\.5 s"):
        trtexec_options.options(program)
