"""Runs that do not end well, through the command line: their error, their document, and the way back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.runs.folder import RunDir, run_paths
from edgetui.engine.schema import result as documents
from processes import wait_until

DEMO = PACKAGE / "profiles" / "demo"
MODEL, DATA = str(DEMO / "digits.onnx"), str(DEMO / "digits.toml")


def edgetui(*words):
    return subprocess.run([sys.executable, "-m", "edgetui", *words], capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture
def one_broken_array(tmp_path):
    """An .npz whose member is no array."""
    file = tmp_path / "data.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("image.npy", b"no array")
    return file


@pytest.mark.parametrize("words", [["run", "--detach"], ["run", "--dry-run"], ["build", "--out", "out"]])
def test_data_that_do_not_fit_are_refused_before_the_run_begins(tell, one_broken_array, own_state, words):
    done = tell(*words, MODEL, "-r", "int8", "--calibration", str(one_broken_array))
    assert done.code == 1
    assert "data.npz cannot be read" in " ".join((done.err + done.out).split())
    assert run_paths(own_state) == []


@pytest.mark.parametrize("words", [["runs"], ["recipes", "--json"], ["doctor"], ["monitor", "--once"], ["--help"]])
def test_what_finds_no_room_to_be_printed_is_not_to_be_done_again(own_state, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edgetui", *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "error: no space left at standard output; free some space, then print it again\n"


def test_a_refused_submission_leaves_no_run_behind(tell, own_state):
    own_state.mkdir(parents=True)
    (own_state / "queue").write_bytes(b"a file where a folder should be")
    assert tell("run", MODEL, "-r", "fp16").code == 1
    assert run_paths(own_state) == []


def test_a_run_that_fails_prints_one_error_and_its_document(tell, tmp_path):
    recipe = tmp_path / "all.toml"
    recipe.write_text('least_cosine = 1.0\n[[step]]\nmethod = "prune.magnitude"\namount = 1.0\n')
    done = edgetui("build", MODEL, "-r", str(recipe), "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 1
    result = documents.decode(done.stdout.encode())
    assert result.state == "failed"
    stage = result.error.stage
    assert done.stderr.startswith(f"error: {stage}: ")
    assert "further from the baseline's than the recipe allows" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
    shown = tell("show", "last")
    assert shown.code == 0
    assert f"in stage {stage}" in shown.out
    assert f"failed in {stage}" in tell("runs").out


@pytest.mark.long
def test_a_killed_run_is_shown_as_interrupted_and_taken_up_again(own_state):
    assert edgetui("run", MODEL, "-r", "fp16", "--detach").returncode == 0
    (path,) = run_paths(own_state)
    wait_until(lambda: any(event.__struct_config__.tag == "stage-ended" for event in RunDir(path).events()))
    os.killpg(RunDir(path).pid(), signal.SIGKILL)
    wait_until(lambda: not RunDir(path).alive())
    watched = edgetui("watch", "last")
    assert watched.returncode == 1
    assert "error: " in watched.stderr
    assert f"edgetui resume {path.name}" in watched.stderr
    assert "crashed" in edgetui("runs").stdout
    again = edgetui("resume", "last", "--detach")
    assert again.stdout.strip() == path.name
    assert edgetui("cancel", "last").returncode == 0
    assert RunDir(path).result().state == "cancelled"


@pytest.mark.parametrize(("number", "code", "state"), [(signal.SIGINT, 130, "cancelled"), (signal.SIGTERM, 143, "running")])
def test_a_run_that_is_left_early_still_prints_its_document(own_state, number, code, state):
    words = [sys.executable, "-m", "edgetui", "run", MODEL, "-r", "fp16", "--preset", "precise", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(RunDir(path).events() for path in run_paths(own_state)))
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert documents.decode(out.encode()).state == state
