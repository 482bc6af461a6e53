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
OLDER_LOWER = "820bb27d978512343a66c577"
KEYS = [
    ({"name": "onnxruntime"}, "30a4b6c278ac9927b28f2ea1", "73130dc41b1004ad70e5d3e6"),
    ({"name": "onnxruntime", "threads": 2, "graph": "basic"}, "30a4b6c278ac9927b28f2ea1", "852b568f0bc4e6d950dd8da1"),
    ({"name": "tensorrt"}, "e1ca14898ec2406fc41a4f6a", "ab8bd26fa4b7229da84a9069"),
    (
        {"name": "tensorrt", "tensorrt": {"workspace_mb": 512, "tf32": False}},
        "e1ca14898ec2406fc41a4f6a",
        "f5be1ee65b618a0af8c4029c",
    ),
    ({"name": "tensorrt", "tensorrt": {"target": "sm_86"}}, "a83c769423a86d2071ed1ad9", "007ba98a52234c897cddb628"),
    ({"name": "torch"}, "b4d7b9d38fae45710a54d33c", "22fae952566e26b9b6ba5b0c"),
    ({"name": "torch", "torch": {"mode": "compiled", "device": "cpu"}}, "b51f92b4e66e033ae241fb58", "d5ccbc5b6308c732df535c7c"),
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
    # As computed by the release before, on a machine of these lines.
    assert before["lower"] == OLDER_LOWER
