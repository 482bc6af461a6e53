"""Builds in processes of their own: less memory at each try, what a killed try leaves, the manifest, what it refuses."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import fake_gpu
import fake_tensorrt
import pytest
from edgetui.engine.backends.tensorrt import manifest as trt_manifest
from edgetui.engine.backends.tensorrt.adapter import TensorRt, memory_limits
from edgetui.engine.backends.tensorrt.build_messages import BuildRequest, Built
from edgetui.engine.backends.tensorrt.installed import Gpu, Installation
from edgetui.engine.backends.tensorrt.manifest import Manifest
from edgetui.engine.errors import BackendRefused, PlanRefused, RunFailed
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.system.hashing import sha256_of
from edgetui.engine.system.reporter import NullReporter
from laid_boards import lay_out_board
from networks import lstm


@pytest.fixture
def order(tmp_path: Path) -> BuildRequest:
    return BuildRequest(onnx=str(lstm(tmp_path / "m.onnx")), out=str(tmp_path / "m.plan"), module="tensorrt")


def test_every_try_has_less_memory_than_the_one_before():
    for free in (None, 400.0, 6000.0):
        tries = memory_limits.limits_to_try(TensorRtSettings(), free)
        limits = [(one.workspace_mib or 1 << 20, one.tactic_memory_mib or 1 << 20) for one in tries]
        assert len(tries) > 2
        assert all(later < earlier for earlier, later in pairwise(limits))


def test_what_the_settings_say_holds_for_the_first_try_and_is_never_exceeded():
    asked = TensorRtSettings(workspace_mb=100, tactic_memory_mb=200, optimization_level=1)
    tries = memory_limits.limits_to_try(asked, 8000.0)
    assert tries[0] == memory_limits.Limits(100, 200, 1)
    assert all(one.workspace_mib <= 100 and one.tactic_memory_mib <= 200 and one.optimization_level <= 1 for one in tries)


def test_out_of_memory_is_tried_again_with_less_until_it_fits(order, monkeypatch, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3", memory_above=500)
    say = NullReporter()
    built, limits = memory_limits.build_with_retries(order, 4000.0, say)
    assert isinstance(built, Built)
    assert limits.workspace_mib == 400
    assert [note.split(":")[0] for note in say.notes if note.startswith("try")] == [
        "try 1 of 4",
        "try 1 failed",
        "try 2 of 4",
        "try 2 failed",
        "try 3 of 4",
    ]
    assert "try 3 with less memory" in say.warnings[-1]


def test_a_try_that_the_kernel_kills_is_an_event_and_not_the_end(order, monkeypatch, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3", kill_above=1500)
    say = NullReporter()
    _, limits = memory_limits.build_with_retries(order, 4000.0, say)
    assert limits.workspace_mib == 1000
    assert "try 1 failed: the build was killed (out of memory?)" in say.notes


@pytest.mark.parametrize(("trouble", "error"), [("memory_above", BackendRefused), ("kill_above", BackendRefused)])
def test_when_nothing_fits_the_number_of_tries_is_told(trouble, error, order, monkeypatch, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3", **{trouble: 1})
    with pytest.raises(error, match="on each of 4 tries"):
        memory_limits.build_with_retries(order, 4000.0, NullReporter())


def test_what_less_memory_does_not_mend_is_told_at_once(order, monkeypatch, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3", parse=["/a", "Conv", "no such thing"])
    say = NullReporter()
    with pytest.raises(BackendRefused, match=r"node /a \(Conv\): no such thing"):
        memory_limits.build_with_retries(order, 4000.0, say)
    assert sum(note.startswith("try") for note in say.notes) == 1


def test_too_little_memory_is_said_before_the_build(order, monkeypatch, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3")
    say = NullReporter()
    memory_limits.build_with_retries(order, 100.0, say)
    assert say.notes[0].startswith("memory: 100 MiB free, about 35")
    assert "only 100 MiB of memory are free" in say.warnings[0]


def test_a_process_that_cannot_start_tensorrt_fails_the_build(order, tmp_path):
    with pytest.raises(RunFailed, match="TensorRT ended with code 1, on each"):
        memory_limits.build_with_retries(
            BuildRequest(onnx=order.onnx, out=order.out, module="no_such_module"), 4000.0, NullReporter()
        )


def test_a_word_in_the_name_of_a_node_does_not_make_a_crash_of_a_refusal(order, monkeypatch, tmp_path):
    line = "Error Code 10: Could not find any implementation for node appended_conv"
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3", refuse=line)
    with pytest.raises(BackendRefused, match="no kernel for appended_conv within its limits, on each of 4 tries"):
        memory_limits.build_with_retries(order, 4000.0, NullReporter())


GPU = Gpu(name="Orin", capability=(8, 7), memory_mb=8000, cuda="12.6")


def built_by(version: str, plan: Path, **changes: object) -> Installation:
    plan.write_bytes(b"plan")
    told = {"edgetui": "0", "module": "tensorrt", "tensorrt": version, "targets": ("sm_87",)}
    trt_manifest.write(Manifest(**{**told, "plan_sha256": sha256_of([plan]), **changes}), plan)
    api = fake_tensorrt.make("10.3")
    return Installation("tensorrt", api, api.__version__)


def test_a_plan_that_fits_is_taken(tmp_path):
    found = built_by("10.3.0", tmp_path / "p")
    assert trt_manifest.check(tmp_path / "p", found, GPU, trust=False) is not None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tensorrt": "8.5.2"}, "with TensorRT 8.5.2, and this is 10.3.0"),
        ({"targets": ("sm_86",)}, r"for sm_86, and this GPU is sm_87 \(Orin\)"),
        ({"module": "tensorrt_rtx"}, "for tensorrt_rtx, and this is tensorrt"),
        ({"plan_sha256": "0"}, "is not the file of its manifest: the checksum differs"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_with_the_offer_to_rebuild(changes, reason, tmp_path):
    found = built_by("10.3.0", tmp_path / "p", **changes)
    with pytest.raises(PlanRefused, match=reason) as refused:
        trt_manifest.check(tmp_path / "p", found, GPU, trust=True)
    assert "build it again here" in refused.value.fix


def test_a_plan_of_unknown_hands_needs_trust(tmp_path):
    found = built_by("10.3.0", tmp_path / "p")
    trt_manifest.beside(tmp_path / "p").unlink()
    with pytest.raises(PlanRefused, match="edgetui did not build p") as refused:
        trt_manifest.check(tmp_path / "p", found, GPU, trust=False)
    assert "--trust" in refused.value.fix
    assert trt_manifest.check(tmp_path / "p", found, GPU, trust=True) is None


@pytest.mark.parametrize("prefix", [b"", b'\x0e\x00\x00\x00{"stride": 32}'])
def test_the_metadata_of_ultralytics_is_passed_over(prefix, tmp_path):
    (tmp_path / "p.engine").write_bytes(prefix + b"ftrt and more")
    assert trt_manifest.content(tmp_path / "p.engine") == b"ftrt and more"
    assert trt_manifest.ultralytics(tmp_path / "p.engine") == ({"stride": 32} if prefix else None)


@pytest.mark.parametrize("content", [None, b""])
def test_a_plan_that_is_not_there_or_empty_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / "p").write_bytes(content)
    with pytest.raises(PlanRefused):
        trt_manifest.content(tmp_path / "p")


@pytest.mark.parametrize(
    ("asked", "target", "word"),
    [
        (True, "sm_87", "TF32 allowed"),
        (False, "sm_87", "no TF32"),
        (True, "sm_72", "no TF32"),
        (True, "sm_120", "TF32 allowed"),
    ],
)
def test_a_manifest_says_whether_fp32_is_full(asked, target, word, tmp_path):
    built_by("10.3.0", tmp_path / "p", targets=(target,), settings=TensorRtSettings(tf32=asked))
    assert trt_manifest.facts_in_words(trt_manifest.read(tmp_path / "p"), tmp_path / "p")["FP32 layers"] == word


def test_the_whole_backend_on_a_fake_gpu(monkeypatch, tmp_path):
    import numpy as np

    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3")
    fakes = fake_gpu.here(monkeypatch, "10.3")
    settings = BackendSettings(name="tensorrt")
    backend = TensorRt(tmp_path / "timing")
    backend.check(settings, execute=True)
    assert backend.stamp(settings).provider == "TensorRT 10.3.0, Orin sm_87, TF32 allowed"
    backend.build(lstm(tmp_path / "m.onnx"), tmp_path / "m.plan", settings, NullReporter())
    assert (tmp_path / "timing" / "tensorrt-10.3.0-orin-sm_87.cache").read_bytes() == b"timed"
    assert trt_manifest.read(tmp_path / "m.plan").targets == ("sm_87",)
    session = backend.load(tmp_path / "m.plan", settings)
    assert session.run({"sequence": np.ones((12, 1, 16), np.float32)})["out"].shape == (1, 3)
    session.close()
    del session
    assert fakes.left() == {}


@pytest.mark.parametrize(("tree", "name"), [("orin_nano_super_r36", "orin-nano"), ("agx_orin_r35", "agx-orin")])
def test_boards_with_one_gpu_architecture_keep_timing_caches_of_their_own(tree, name, shared, monkeypatch, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3")
    fake_gpu.here(monkeypatch, "10.3")
    for variable, value in lay_out_board(shared / "sysfs" / f"{tree}.json", tmp_path)[1].items():
        monkeypatch.setenv(variable, value)
    say = NullReporter()
    TensorRt(tmp_path / "timing").build(lstm(tmp_path / "m.onnx"), tmp_path / "p", BackendSettings(name="tensorrt"), say)
    (cache,) = (tmp_path / "timing").iterdir()
    assert cache.name.startswith("tensorrt-10.3.0-")
    assert name in cache.name
    assert cache.name.endswith("-sm_87.cache")
    manifest = trt_manifest.read(tmp_path / "p")
    assert manifest is not None
    assert "Orin" in manifest.board
    assert "JetPack" in manifest.os
