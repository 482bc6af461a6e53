"""The adapter's branches, driven by a fake of each generation of TensorRT: what is asked, in which order, what is freed."""

from __future__ import annotations

from pathlib import Path

import fake_gpu
import numpy as np
import pytest
from edgetui.engine.backends.tensorrt import build as trt_build
from edgetui.engine.backends.tensorrt.adapter import TensorRt
from edgetui.engine.backends.tensorrt.build_messages import BuildProgress, BuildRequest
from edgetui.engine.backends.tensorrt.installed import detect
from edgetui.engine.backends.tensorrt.session import open_session
from edgetui.engine.errors import BackendRefused, DataRefused, PlanRefused
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, Recipe
from networks import lstm, transformer
from steps import lowered

OLD, NEW = ("8.2", "8.5", "8.6"), ("10.3", "10.13", "11")
INT8 = QuantizeInt8(calibrator="minmax")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An LSTM lowered as each kind of TensorRT wants it: INT8, and INT8 with FP16 for the rest."""
    folder = tmp_path_factory.mktemp("files")
    model = lstm(folder / "model.onnx")
    made = {}
    for target in ("tensorrt", "tensorrt-flags"):
        for name, steps in (("int8", (INT8,)), ("mixed", (INT8, PrecisionFp16(keep=("gather1",))))):
            (folder / f"{target}-{name}").mkdir()
            made[f"{target}-{name}"] = lowered(model, Recipe(step=steps), folder / f"{target}-{name}", target)
    return made


def build(fakes: fake_gpu.Fakes, onnx: Path, out: Path, **settings: object) -> list:
    told: list = []
    cache = str(settings.pop("cache", ""))
    order = BuildRequest(onnx=str(onnx), out=str(out), module="tensorrt", settings=TensorRtSettings(**settings), cache=cache)
    built = trt_build.build(order, detect(), told.append)
    return [*told, built]


@pytest.mark.parametrize("generation", OLD)
def test_before_ten_flags_say_the_precision_over_the_same_fp32_graph(generation, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    assert TensorRt().target() == "tensorrt-flags"
    built = build(fakes, files["tensorrt-flags-mixed"], tmp_path / "p")[-1]
    assert fakes.asked("network") == [("EXPLICIT_BATCH",)]
    assert {flag for (flag,) in fakes.asked("flag")} == {"FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS", "TF32"}
    assert fakes.asked("precision") == [("gather1", "FLOAT")]
    assert fakes.asked("output_type") == [("gather1", 0, "FLOAT")]
    assert built.precision == "flags FP16 and INT8"


@pytest.mark.parametrize("generation", OLD)
def test_before_ten_nothing_is_flagged_that_nobody_asked_for(generation, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    build(fakes, files["tensorrt-flags-int8"], tmp_path / "p")
    assert fakes.asked("flag") == [("INT8",), ("TF32",)]
    assert fakes.asked("precision") == []


@pytest.mark.parametrize("generation", NEW)
def test_from_ten_on_the_network_is_strongly_typed_and_no_flag_says_a_precision(generation, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    assert TensorRt().target() == "tensorrt"
    built = build(fakes, files["tensorrt-mixed"], tmp_path / "p")[-1]
    assert fakes.asked("network") == [("STRONGLY_TYPED",)]
    assert fakes.asked("flag") == [("TF32",)]
    assert fakes.asked("precision") == []
    assert built.precision == "strongly typed"


@pytest.mark.parametrize("generation", OLD + NEW)
def test_the_network_is_parsed_before_it_is_built_and_all_is_freed(generation, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    build(fakes, files["tensorrt-flags-int8"], tmp_path / "p")
    order = [entry[0] for entry in fakes.api.asked]
    assert order.index("network") < order.index("parse") < order.index("build") == len(order) - 1
    assert fakes.left() == {}


@pytest.mark.parametrize(
    ("generation", "limits"),
    [
        ("8.2", []),
        ("8.5", [("WORKSPACE", 64)]),
        ("8.6", [("WORKSPACE", 64), ("TACTIC_DRAM", 128)]),
        ("11", [("WORKSPACE", 64), ("TACTIC_DRAM", 128)]),
    ],
)
def test_memory_limits_go_to_the_pools_there_are(generation, limits, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    build(fakes, files["tensorrt-flags-int8"], tmp_path / "p", workspace_mb=64, tactic_memory_mb=128)
    assert fakes.asked("limit") == limits


def test_a_level_is_set_where_there_are_levels_and_passed_over_with_a_word_where_not(monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "8.6")
    build(fakes, files["tensorrt-flags-int8"], tmp_path / "p", optimization_level=1)
    assert fakes.asked("build") == [(1,)]
    fakes = fake_gpu.here(monkeypatch, "8.5")
    told = build(fakes, files["tensorrt-flags-int8"], tmp_path / "p", optimization_level=1)
    assert ["levels" in line.text for line in told if getattr(line, "warning", False)] == [True]


@pytest.mark.parametrize("generation", OLD + NEW)
def test_tf32_is_said_both_ways(generation, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    build(fakes, files["tensorrt-flags-int8"], tmp_path / "p")
    assert ("TF32",) in fakes.asked("flag")
    assert fakes.asked("no flag") == []
    fakes = fake_gpu.here(monkeypatch, generation)
    build(fakes, files["tensorrt-flags-int8"], tmp_path / "p", tf32=False)
    assert ("TF32",) not in fakes.asked("flag")
    assert fakes.asked("no flag") == [("TF32",)]


@pytest.mark.parametrize("generation", OLD + NEW)
def test_sparse_weights_are_a_flag_everywhere(generation, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    build(fakes, files["tensorrt-int8"] if generation in NEW else files["tensorrt-flags-int8"], tmp_path / "p", sparse=True)
    assert ("SPARSE_WEIGHTS",) in fakes.asked("flag")


def test_the_dla_takes_what_it_can_and_the_share_of_the_rest_is_told(monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    *told, built = build(fakes, files["tensorrt-int8"], tmp_path / "p", dla_core=1)
    assert ("GPU_FALLBACK",) in fakes.asked("flag")
    assert built.dla_layers == 0
    assert any("100% fall back" in getattr(line, "text", "") for line in told)
    with pytest.raises(trt_build.Stopped, match="no DLA core 2"):
        build(fakes, files["tensorrt-int8"], tmp_path / "p", dla_core=2)
    assert fakes.left() == {}


@pytest.mark.parametrize(("generation", "flags"), [("10.3", []), ("11", [("ADJUST_FOR_DLA",)])])
def test_the_parser_adjusts_the_model_for_the_dla_where_it_can(generation, flags, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    build(fakes, files["tensorrt-int8"], tmp_path / "p")
    assert fakes.asked("parser flag") == []
    build(fakes, files["tensorrt-int8"], tmp_path / "p", dla_core=0)
    assert fakes.asked("parser flag") == flags


def test_the_timing_cache_is_kept_and_one_of_another_board_replaced(monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    cache = tmp_path / "caches" / "a.cache"
    build(fakes, files["tensorrt-int8"], tmp_path / "p", cache=cache)
    assert cache.read_bytes() == b"timed"
    build(fakes, files["tensorrt-int8"], tmp_path / "p", cache=cache)
    assert fakes.asked("timing_cache") == [(b"", True), (b"timed", True)]
    cache.write_bytes(b"of another board")
    build(fakes, files["tensorrt-int8"], tmp_path / "p", cache=cache)
    assert cache.read_bytes() == b"timed"


def test_what_was_timed_before_a_build_failed_is_kept(monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    fakes.api.trouble["refuse"] = "something else"
    cache = tmp_path / "a.cache"
    with pytest.raises(trt_build.Stopped):
        build(fakes, files["tensorrt-int8"], tmp_path / "p", cache=cache)
    assert cache.read_bytes() == b"timed"
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("generation", NEW)
def test_the_monitor_tells_phases_as_a_share_that_only_grows(generation, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    shares = [said for said in build(fakes, files["tensorrt-int8"], tmp_path / "p") if isinstance(said, BuildProgress)]
    done = [said.done for said in shares]
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert "Timing tactics" in [said.text for said in shares]


def test_without_a_monitor_the_log_tells_the_phase(monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "8.6")
    shares = [said for said in build(fakes, files["tensorrt-flags-int8"], tmp_path / "p") if isinstance(said, BuildProgress)]
    assert [(said.done, said.text) for said in shares] == [(None, "Graph optimization time: 0.1 seconds.")]


@pytest.mark.parametrize(("generation", "where"), [("8.5", "node 7"), ("10.3", "node /head/Resize (Resize)")])
def test_a_refusal_of_the_parser_names_the_node(generation, where, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    fakes.api.trouble["parse"] = ("/head/Resize", "Resize", "cubic_coeff_a is not supported")
    with pytest.raises(trt_build.Stopped) as stopped:
        build(fakes, files["tensorrt-int8"], tmp_path / "p")
    assert stopped.value.refused.what == f"TensorRT cannot read {where}: cubic_coeff_a is not supported"
    assert not stopped.value.refused.again
    assert fakes.asked("build") == []


@pytest.mark.parametrize(
    ("text", "what", "again"),
    [
        ("Error Code 2: OutOfMemory (no further information)", "ran out of memory", True),
        ("Requested amount of GPU memory (1024 bytes) could not be allocated", "ran out of memory", True),
        ("Error Code 10: Could not find any implementation for node {ForeignNode[a...b]}.", "no kernel for ForeignNode", True),
        ("Error Code 1: Cuda Runtime (cudaError 35: driver version)", "no GPU it can use", False),
        ("IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error (x)", "API Usage Error", False),
    ],
)
def test_refusals_of_the_builder_in_words(text, what, again, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.13")
    fakes.api.trouble["refuse"] = text
    with pytest.raises(trt_build.Stopped) as stopped:
        build(fakes, files["tensorrt-int8"], tmp_path / "p")
    assert what in stopped.value.refused.what
    assert stopped.value.refused.again is again


@pytest.mark.parametrize("generation", OLD + NEW)
def test_six_steps_give_the_outputs_and_everything_is_freed(generation, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, generation)
    plain = files["tensorrt-flags-int8"]
    build(fakes, plain, tmp_path / "p")
    session = open_session(detect(), (tmp_path / "p").read_bytes(), TensorRtSettings(), "p")
    given = {"sequence": np.random.default_rng(0).standard_normal((12, 1, 16)).astype(np.float32)}
    fakes.driver.did.clear()
    made = session.run(given)
    assert fakes.driver.did == ["copy in", "copy out", "synchronize"]
    assert made["out"].shape == (1, 3)
    assert np.ptp(made["out"]) > 0
    other = session.run({"sequence": given["sequence"] * 2})
    assert not np.array_equal(made["out"], other["out"])
    assert session.plan_bytes() == (8192 if generation in ("10.3", "10.13", "11") else 4096)
    session.close()
    session.close()
    del session
    assert fakes.left() == {}


def test_the_timed_call_allocates_nothing_and_events_are_no_part_of_it(monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    build(fakes, files["tensorrt-int8"], tmp_path / "p")
    session = open_session(detect(), (tmp_path / "p").read_bytes(), TensorRtSettings(), "p")
    once = session.timed({"sequence": np.zeros((12, 1, 16), np.float32)})
    before = dict(fakes.driver.taken)
    fakes.driver.did.clear()
    once()
    once()
    assert fakes.driver.did == ["copy in", "copy out", "synchronize"] * 2
    assert dict(fakes.driver.taken) == before
    assert session.device_ms() == 0.5
    session.close()


def test_token_ids_become_what_the_plan_wants(monkeypatch, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "8.5")
    model = transformer(tmp_path / "model.onnx", layers=1)
    build(fakes, model, tmp_path / "p")
    session = open_session(detect(), (tmp_path / "p").read_bytes(), TensorRtSettings(), "p")
    assert session.inputs[0].dtype == "int32"
    assert np.isfinite(session.run({"tokens": np.arange(16).reshape(1, 16)})["out"]).all()
    session.close()


@pytest.mark.parametrize(
    ("feeds", "what"),
    [
        ({}, "no samples for input sequence"),
        ({"sequence": np.zeros((1, 12, 16), np.float32)}, r"\[1, 12, 16\] where the plan wants"),
        ({"sequence": np.zeros((12, 1, 16), "U1")}, "where the plan wants float32"),
    ],
)
def test_samples_that_do_not_fit_are_refused(feeds, what, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    build(fakes, files["tensorrt-int8"], tmp_path / "p")
    session = open_session(detect(), (tmp_path / "p").read_bytes(), TensorRtSettings(), "p")
    with pytest.raises(DataRefused, match=what):
        session.run(feeds)
    session.close()
    del session
    assert fakes.left() == {}


@pytest.mark.parametrize("generation", OLD + NEW)
def test_a_process_that_only_loads_registers_the_plugins_as_well(generation, monkeypatch, files, tmp_path):
    """The fakes refuse to parse and to read a plan before it is done."""
    fakes = fake_gpu.here(monkeypatch, generation)
    build(fakes, files["tensorrt-flags-int8"], tmp_path / "p")
    fakes.api.plugins = False
    open_session(detect(), (tmp_path / "p").read_bytes(), TensorRtSettings(), "p").close()
    assert fakes.api.plugins


@pytest.mark.parametrize("trouble", ["plan", "context", "memory"])
def test_a_load_that_fails_leaves_nothing_behind(trouble, monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3", free_mib=0 if trouble == "memory" else 64)
    build(fakes, files["tensorrt-int8"], tmp_path / "p")
    content = (tmp_path / "p").read_bytes()
    if trouble == "context":
        fakes.api.trouble["no_context"] = True
    with pytest.raises((PlanRefused, BackendRefused)):
        open_session(detect(), b"x" + content if trouble == "plan" else content, TensorRtSettings(), "p")
    assert fakes.left() == {}


def test_two_sessions_share_the_device_and_may_close_in_any_order(monkeypatch, files, tmp_path):
    fakes = fake_gpu.here(monkeypatch, "10.3")
    build(fakes, files["tensorrt-int8"], tmp_path / "p")
    content = (tmp_path / "p").read_bytes()
    first, second = (open_session(detect(), content, TensorRtSettings(), "p") for _ in range(2))
    assert fakes.driver.taken["context"] == fakes.driver.taken["pushed"] == 1
    first.close()
    second.run({"sequence": np.zeros((12, 1, 16), np.float32)})
    second.close()
    del first, second
    assert fakes.left() == {}


def test_a_folder_of_stubs_is_no_tensorrt(monkeypatch, tmp_path):
    (tmp_path / "tensorrt").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("edgetui.engine.backends.tensorrt.installed.MODULES", ("tensorrt",))
    with pytest.raises(BackendRefused, match="no TensorRT"):
        TensorRt().stamp(BackendSettings(name="tensorrt"))


def test_tensorrt_itself_does_not_build_for_a_gpu_that_is_not_here(monkeypatch):
    fake_gpu.here(monkeypatch, "10.3")
    monkeypatch.setattr("edgetui.engine.backends.tensorrt.installed.MODULES", ("tensorrt",))
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(target="sm_86"))
    with pytest.raises(BackendRefused, match=r"10\.3\.0 builds only for the GPU of its own machine"):
        TensorRt().check(settings, execute=False)
