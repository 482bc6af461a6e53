"""Keys of what backends made, as they were before a backend had a card: an older cache is read."""

from __future__ import annotations

import platform

import msgspec
import pytest
from edgetui.engine.runs.stages import plan_stages
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe

VERSIONS = {"edgetui": "0.1.0", "numpy": "2.1", "onnx": "1.19", "tensorrt": "10.3", "tensorrt-rtx": "none", "torch": "2.4"}
OLDER_LOWER = "fc3855386de3b5aea62e1b0e"
KEYS = [
    ({"name": "onnxruntime"}, "a9c892b2b398badd56ef57bf", "8b7371192166f3ea19a7b0de"),
    ({"name": "onnxruntime", "threads": 2, "graph": "basic"}, "a9c892b2b398badd56ef57bf", "fc614603cc3cc833a2eb18b6"),
    ({"name": "tensorrt"}, "440efa5d8e498bc599449eab", "94b4141dc7a2c48822f414b3"),
    (
        {"name": "tensorrt", "tensorrt": {"workspace_mb": 512, "tf32": False}},
        "440efa5d8e498bc599449eab",
        "2aa858441240faf34fe6adb7",
    ),
    ({"name": "tensorrt", "tensorrt": {"target": "sm_86"}}, "1c8c62af6fdff08631e3af68", "9b2f93e9aa8941ef0e7646a1"),
    ({"name": "torch"}, "3eb5e75aea6ae49544b81eab", "2e9a33d2d603cd479df54ce4"),
    ({"name": "torch", "torch": {"mode": "compiled", "device": "cpu"}}, "3771bb0797a2fb8ee001fe2b", "bf2f5557bcbe339842f40a90"),
]


def keys(table: dict[str, object], form: int = 2) -> dict[str, str]:
    """Kind of stage to its key, on a machine of x86-64 with a GPU and TensorRT's library."""
    spec = RunSpec(model="/m.onnx", recipe=Recipe(name="r"), backend=msgspec.convert(table, BackendSettings))
    asked = RunRequest(
        run="one",
        ticket=1,
        wall="",
        edgetui="",
        python="",
        versions=VERSIONS,
        model_sha256="aa",
        dataset_hash="d",
        spec=spec,
        keys=form,
    )
    return {stage.kind: stage.key for stage in plan_stages(asked)}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    for file in ("dev/nvidia0", "dev/nvmap", "usr/lib/x86_64-linux-gnu/libnvinfer.so.10"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("table", "inspect", "build"), KEYS)
def test_what_a_backend_made_before_is_found_in_the_cache(table, inspect, build):
    made = keys(table)
    assert (made["inspect"], made["build"]) == (inspect, build)


@pytest.mark.usefixtures("machine")
def test_settings_that_change_no_plan_are_in_no_key_of_a_build():
    plain, graph = (keys({"name": "tensorrt", "tensorrt": {"cuda_graph": on}})["build"] for on in (False, True))
    assert plain == graph


@pytest.mark.usefixtures("machine")
def test_a_flag_that_shapes_no_graph_is_in_the_keys_of_runs_begun_before_alone(tmp_path):
    (tmp_path / "proc").mkdir()
    made = {}
    for flags in ("avx2 ibrs", "avx2 ibrs retbleed"):
        (tmp_path / "proc/cpuinfo").write_text(f"processor\t: 0\nmodel name\t: A CPU\nflags\t\t: {flags}\n\n")
        made[flags] = [keys({"name": "onnxruntime"}, form) for form in (1, 2)]
    (before, now), (before_after, now_after) = made.values()
    assert now == now_after
    assert before["lower"] != before_after["lower"]
    # As keys of that form are computed, on a machine of these lines.
    assert before["lower"] == OLDER_LOWER
