"""Cancelling a build, and builds that are killed: with a fake TensorRT, and whole runs with TensorRT-RTX."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fake_gpu
import psutil
import pytest
from edgetui.engine.backends.tensorrt.installed import Installation
from edgetui.engine.runs.folder import RunDir
from live_runs import end_all
from networks import lstm, transformer

WORKER = "edgetui.engine.backends.tensorrt.build_process"
BUILD = """
import sys
from edgetui.engine.backends.tensorrt import memory_limits
from edgetui.engine.backends.tensorrt.build_messages import BuildRequest
from edgetui.engine.system.reporter import NullReporter
class Cancelling(NullReporter):
    def progress(self, done, total=None, text=""):
        if "Timing" in text:
            print("building", flush=True)
request = BuildRequest(onnx=sys.argv[1], out=sys.argv[2], module="tensorrt", cache=sys.argv[3])
memory_limits.build_with_retries(request, 4000.0, Cancelling())
"""


def gone(process: psutil.Process, limit_s: float = 30) -> bool:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("generation", "trouble", "kept"), [("10.3", "steps", True), ("10.3", "hang", False), ("8.6", "hang", False)]
)
def test_sigterm_ends_a_build_and_keeps_what_a_monitored_one_has_timed(generation, trouble, kept, monkeypatch, tmp_path):
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", generation, **{trouble: 600 if trouble == "hang" else 30_000})
    model, plan, cache = lstm(tmp_path / "m.onnx"), tmp_path / "p.plan", tmp_path / "timing.cache"
    told = "building\n" if generation == "10.3" else ""
    code = BUILD if told else BUILD.replace('"Timing"', '"Graph"')
    with subprocess.Popen([sys.executable, "-c", code, model, plan, cache], stdout=subprocess.PIPE, text=True) as stage:
        assert stage.stdout.readline() == "building\n"
        (worker,) = psutil.Process(stage.pid).children()
        os.kill(stage.pid, signal.SIGTERM)
        assert stage.wait(30) == -signal.SIGTERM
    assert gone(worker)
    assert not plan.exists()
    assert cache.exists() is kept


@pytest.fixture
def state(own_state: Path, rtx: Installation) -> Iterator[Path]:
    yield own_state
    end_all(own_state)


def edgetui(*words: str) -> list[str]:
    return [sys.executable, "-m", "edgetui", *words]


def begun(folder: Path) -> subprocess.Popen[str]:
    """A build that TensorRT-RTX needs a second or two for, most of it in silence."""
    model = transformer(folder / "m.onnx", layers=8)
    words = ("build", str(model), "--recipe", "prune-5", "--backend", "tensorrt", "--target", "sm_86", "--json")
    out = str(folder / "out")
    return subprocess.Popen(edgetui(*words, "--out", out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def building(state: Path, build: subprocess.Popen[str]) -> tuple[Path, psutil.Process]:
    """The run's folder and the process that builds, as soon as TensorRT says how far it is."""
    while build.poll() is None:
        for folder in (state / "runs").glob("*"):
            told = (folder / "events.jsonl").read_text() if (folder / "events.jsonl").exists() else ""
            pid = RunDir(folder).pid()
            if '"%, ' in told and pid:
                for one in psutil.Process(pid).children(recursive=True):
                    if WORKER in one.cmdline():
                        return folder, one
        time.sleep(0.02)
    pytest.fail(f"the build ended before it could be disturbed: {build.communicate()}")


@pytest.mark.long
def test_cancel_ends_a_run_in_the_middle_of_a_real_build(state, tmp_path):
    with begun(tmp_path) as build:
        folder, worker = building(state, build)
        done = subprocess.run(edgetui("cancel", folder.name), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        _, told = build.communicate(timeout=60)
    assert build.returncode == 130
    assert told.endswith(f"cancelled; `edgetui resume {folder.name}` takes it up again\n")
    assert gone(worker)
    result = json.loads((folder / "result.json").read_text())
    assert result["state"] == "cancelled"
    assert not list((state / "cache").glob(".making-*"))
    assert not (tmp_path / "out" / "plan.plan").exists()


@pytest.mark.long
def test_a_real_build_that_is_killed_is_tried_again_with_less(state, tmp_path):
    with begun(tmp_path) as build:
        folder, worker = building(state, build)
        worker.kill()
        out, told = build.communicate(timeout=120)
    assert build.returncode == 0, told
    past = (folder / "events.jsonl").read_text()
    assert "try 1 failed: the build was killed (out of memory?)" in past
    assert "try 2 of 4: workspace" in past
    assert any("came out at try 2 with less memory" in text for text in json.loads(out)["warnings"])
    manifest = json.loads((tmp_path / "out" / "plan.plan.json").read_text())
    assert manifest["settings"]["workspace_mb"] > 0
