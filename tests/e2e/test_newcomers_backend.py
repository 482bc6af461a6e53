"""A backend takes five files: those of CONTRIBUTING.md, in a copy of the package that knows nothing else of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from newcomer import Scratch

ROWS = """
from edgetui.engine.schema.settings import BackendSettings
from edgetui.tui.draft import backend_fields

print(*backend_fields(BackendSettings(name="reference")))
print(*backend_fields(BackendSettings())["name"].choices)
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    return Scratch(tmp_path_factory.mktemp("newcomer"), "Add a backend")


@pytest.fixture(scope="module")
def asked(scratch: Scratch) -> tuple[str, ...]:
    model, data = scratch.package / "profiles" / "demo" / "digits.onnx", scratch.folder / "some.npz"
    np.savez(data, image=np.random.default_rng(0).random((16, 1, 8, 8), np.float32))
    return (str(model), "--recipe", "fp16", "--dataset", str(data), "--backend", "reference")


def test_five_files_are_all(scratch: Scratch) -> None:
    assert list(dict.fromkeys(scratch.files)) == [
        "engine/schema/settings.py",
        "engine/backends/reference/card.py",
        "engine/backends/reference/adapter.py",
        "edgetui.toml",
        "pyproject.toml",
    ]


@pytest.mark.long
def test_it_carries_a_run_of_the_demo_model(scratch: Scratch, asked: tuple[str, ...]) -> None:
    result = json.loads(scratch.edgetui("run", *asked, "--preset", "quick", "--json"))
    assert result["state"] == "done"
    assert result["backend"]["name"] == "reference"
    assert result["fidelity"]["cosine"] > 0.999
    assert result["difference"]["latency_ratio"]["value"] > 0
    assert result["reasons"]["candidate.device_ms"] == "everything is computed on the CPU"
    assert "not shown" in result["verdict"]["latency"] or result["verdict"]["latency"] in ("faster", "slower")


@pytest.mark.long
def test_the_forecast_the_doctor_and_bench_know_it(scratch: Scratch, asked: tuple[str, ...]) -> None:
    assert " reference\n" in scratch.edgetui("run", *asked, "--dry-run")
    assert "ONNX's reference evaluator" in scratch.edgetui("doctor")
    timed = json.loads(scratch.edgetui("bench", asked[0], "--backend", "reference", "--preset", "quick", "--json"))
    assert timed["latency_ms"]["mean"] > 0


@pytest.mark.long
def test_the_settings_pane_edits_it(scratch: Scratch) -> None:
    rows, names = scratch.python("-c", ROWS).splitlines()
    assert rows.split() == ["name", "reference.verbose"]
    assert names.split() == ["onnxruntime", "reference", "tensorrt", "torch"]
