"""Sweeps of the demo's model on a laid-out board, by real processes: killed at any moment, cancelled, taken up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.report.json_schemas import schema_of
from edgetui.engine.runs.sweep_folder import SweepDir
from edgetui.engine.schema.sweep import ShotTold
from processes import wait_until, working
from swept_boards import ModedBoard

MODEL = str(PACKAGE / "profiles" / "demo" / "digits.onnx")
ASKED = ("sweep", MODEL, "--modes", "7W,25W,MAXN_SUPER", "--batch", "1,4")
MEASURED_S = "0.05"


@pytest.fixture
def board(tmp_path):
    made = ModedBoard(tmp_path / "laid", how={2: "asks"})
    made.env["EDGETUI_MEASURE_S"] = MEASURED_S
    return made


def edgetui(board: ModedBoard, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edgetui", *words], capture_output=True, text=True, env=board.env, timeout=300)


def begun(board: ModedBoard) -> SweepDir:
    said = edgetui(board, *ASKED, "--detach")
    assert said.returncode == 0, said.stderr
    return SweepDir(next((board.home / "sweeps").iterdir()))


def driver(folder: SweepDir) -> int:
    wait_until(lambda: (folder.path / "alive.lock").read_text().strip())
    return int((folder.path / "alive.lock").read_text())


@pytest.mark.long
def test_a_whole_sweep_and_its_document(board):
    said = edgetui(board, *ASKED, "--json")
    assert said.returncode == 0, said.stderr
    document = json.loads(said.stdout)
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    jsonschema.validate(document, schema_of("sweep"))
    assert [row["mode"] for row in document["rows"]] == ["7W", "7W", "25W", "25W", "MAXN_SUPER", "MAXN_SUPER"]
    for row in document["rows"]:
        measured = row["mode"] != "MAXN_SUPER"
        assert (row["fps"] is not None) == measured
        assert "no sensor here tells the power" in row["reason"] if measured else "needs a reboot" in row["reason"]
        assert row["energy_j_per_inference"] is None
    assert document["answer"] in document["rows"]
    assert "the lowest latency" in document["why"]
    assert document["first_mode"] == "15W"
    assert board.mode == "15W"
    # the same again measures nothing, and another wish is answered from what is there
    before = board.calls
    again = json.loads(edgetui(board, *ASKED, "--want", "fps>=1000000000", "--json").stdout)
    assert again["sweep"] == document["sweep"]
    assert again["answer"] is None
    assert again["why"].startswith("none reaches fps >= 1e+09; nearest is ")
    assert board.calls == before


@pytest.mark.parametrize(
    ("after", "moment_s"),
    [
        *(pytest.param("doctor", moment_s, marks=pytest.mark.long) for moment_s in (0.0, 1.1, 4.0)),
        *(pytest.param("doctor", moment_s, marks=pytest.mark.rare) for moment_s in (0.4, 2.3)),
        *(pytest.param("resume", moment_s, marks=pytest.mark.rare) for moment_s in (0.0, 2.3)),
        pytest.param("resume", 1.1, marks=pytest.mark.long),
    ],
)  # who resumes measures the rest as well, which takes a minute each
def test_a_killed_sweep_leaves_no_mode_behind(board, after, moment_s):
    board.slow(0.3)  # so that some are killed while a mode is being set
    folder = begun(board)
    pid = driver(folder)
    wait_until(lambda: moment_s == 0 or board.calls or not folder.alive())
    time.sleep(moment_s)
    if working(pid):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not folder.alive())
    kept = [line for line in folder.told() if isinstance(line, ShotTold)]
    said = edgetui(board, "doctor" if after == "doctor" else "resume", *([] if after == "doctor" else [folder.id]))
    assert board.mode == "15W", said.stdout + said.stderr
    assert not (folder.path / "first_mode.json").exists()
    lines = [line for line in folder.told() if isinstance(line, ShotTold)]
    assert lines[: len(kept)] == kept
    if after == "resume":
        assert folder.state() == "done", said.stderr
        taken = [(line.shot.point, line.shot.round) for line in lines]
        assert len(taken) == len(set(taken))


@pytest.mark.parametrize(
    "how", [pytest.param("cancel", marks=pytest.mark.long), pytest.param("SIGTERM", marks=pytest.mark.rare)]
)
def test_a_sweep_that_is_ended_puts_the_mode_back_and_goes_on_later(board, how):
    folder = begun(board)
    pid = driver(folder)
    wait_until(lambda: folder.shots())
    if how == "cancel":
        assert edgetui(board, "cancel", folder.id).returncode == 0
    else:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not folder.alive())
    assert folder.state() == "cancelled"
    assert board.mode == "15W"
    kept = folder.shots()
    assert edgetui(board, "resume", folder.id, "--detach").returncode == 0
    watched = edgetui(board, "watch", folder.id)
    assert watched.returncode == 0, watched.stderr
    assert "of 6" in watched.stdout or "round" in watched.stdout, "what it does is told as it goes"
    assert folder.state() == "done"
    assert folder.shots()[: len(kept)] == kept
    assert board.mode == "15W"


@pytest.mark.long
def test_ctrl_c_ends_it_and_the_first_mode_is_back_before_the_command_is(board):
    command = [sys.executable, "-m", "edgetui", *ASKED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=board.env) as going:
        wait_until(lambda: any(SweepDir(path).shots() for path in (board.home / "sweeps").glob("*")))
        going.send_signal(signal.SIGINT)
        out, err = going.communicate(timeout=60)
    folder = SweepDir(next((board.home / "sweeps").iterdir()))
    assert going.returncode == 130
    assert f"ended; `edgetui resume {folder.id}` takes it up again" in err
    assert "the power mode is 15W again, as before" in out
    assert board.mode == "15W"
    assert folder.state() == "cancelled"


@pytest.mark.long
def test_on_a_full_disk_it_fails_with_the_reason_and_the_first_mode_is_back(tmp_path, disk):
    board = ModedBoard(tmp_path / "laid")
    state = disk("4m")
    board.home = state / "edgetui"
    board.env |= {"XDG_STATE_HOME": str(state), "EDGETUI_MEASURE_S": MEASURED_S}
    folder = begun(board)
    wait_until(folder.shots)
    filled = state / "filled"
    with suppress(OSError), filled.open("wb", buffering=0) as file:
        while file.write(b"0" * 4096):
            pass
    wait_until(lambda: not folder.alive())
    assert board.mode == "15W"
    filled.unlink()
    assert folder.state() in ("failed", "crashed", "done")
    said = edgetui(board, "resume", folder.id) if folder.state() != "done" else edgetui(board, "sweep", folder.id)
    assert said.returncode == 0, said.stderr
    assert folder.state() == "done"
    assert board.mode == "15W"
