"""`edgetui sweep`: says what it would do and for how long, and refuses what cannot be before anything is switched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.report.json_schemas import schema_of
from edgetui.engine.system.onnx_metadata import BUILT_FOR, BUILT_WITH, add_metadata
from swept_boards import ModedBoard

MODEL = str(PACKAGE / "profiles" / "demo" / "digits.onnx")


@pytest.fixture
def board(tmp_path, monkeypatch):
    made = ModedBoard(tmp_path / "laid")
    for name in ("EDGETUI_ROOT", "PATH"):
        monkeypatch.setenv(name, made.env[name])
    return made


def test_before_it_starts_it_says_how_long_and_what(tell, board):
    said = tell("sweep", MODEL, "--modes", "7W,1", "--batch", "1,4", "--dry-run")
    assert said.code == 0, said.err
    assert "for 4 rows in 3 rounds over 2 power modes" in said.out
    assert [line.strip() for line in said.out.splitlines()[1:]] == [
        "7W, batch 1",
        "7W, batch 4",
        "25W, batch 1",
        "25W, batch 4",
    ]
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    document = json.loads(tell("sweep", MODEL, "--dry-run", "--json").out)
    jsonschema.validate(document, schema_of("sweep_time"))
    assert document["rows"] == 4
    assert 0 < document["about_s"] < document["most_s"]
    assert board.calls == []


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--modes", "40W"), "this board has no power mode `40W`"),
        (("--modes", "none at all"), "`none at all`; it has "),
        (("--want", "fps>=nan"), "is not a limit; write fps>=30 power_w<=12"),
        (("--want", "fps=>30"), "is not a limit; write fps>=30 power_w<=12"),
        (("--want", "fps>=30 fps>=60"), "fps is limited twice, to 30 and to 60"),
        (("--want", "fps<=30"), "limits fps on its better side"),
        (("--want", "top1>=0.8"), "a sweep does not measure top1"),
        (("--want", "latency_ms<=0"), "`latency_ms<=0` is kept by nothing"),
        (("--want", "fsp>=30"), "there is no metric `fsp`"),
        (("--want", "fps>30"), "`fps>30` is not a limit"),
        (("--want", "fastest"), "`fastest` is no limit"),
        (("--want", "power_w<=12"), "no sensor here tells the power, so power_w cannot be limited"),
        (("--batch", "1,x"), "is not numbers from 1"),
        (("--batch", "0"), "is not numbers from 1"),
        (("--device", "tpu"), "there is no device `tpu`"),
        (("--set", "graph"), "`graph` is no setting with its values"),
        (("--set", "graph=most"), "`most` is no value of graph"),
        (("--set", "cuda_graph=on"), "it is one of tensorrt's"),
        (("--rounds", "1"), "1 is not in the range"),
        (("--batch", ",".join(map(str, range(1, 200)))), "rows would be measured, of 500 at most"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(tell, board, words, what):
    said = tell("sweep", MODEL, *words)
    assert said.code in (1, 2)
    assert said.err.startswith("error: ")
    assert what in said.err
    assert "; " in said.err
    assert board.calls == []


def test_who_may_not_set_modes_is_told_before_anything_starts(tell, board, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (board.bin / "sudo").write_text("#!/bin/sh\nexit 1\n")
    (board.bin / "sudo").chmod(0o755)
    said = tell("sweep", MODEL, "--modes", "all")
    assert said.code == 2
    assert "only root may set power modes" in said.err
    assert "`edgetui doctor` prints the line for sudoers" in said.err
    assert tell("sweep", MODEL, "--modes", "none", "--threads", "1", "--dry-run").code == 0
    assert board.calls == []


def test_a_batch_that_the_model_is_not_free_for_is_refused(tell, board, tmp_path):
    import onnx

    model = onnx.load(MODEL)
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 2
    fixed = tmp_path / "fixed.onnx"
    onnx.save(model, fixed)
    said = tell("sweep", str(fixed), "--modes", "none", "--batch", "1,2")
    assert said.code == 1
    assert "has a batch of 2 and no other" in said.err


def test_rows_that_cannot_be_measured_are_known_before(tell, board):
    said = tell("sweep", MODEL, "--modes", "none", "--device", "gpu,cpu", "--dry-run")
    assert said.code == 0
    assert "gpu: ONNX Runtime does not run on gpu" in said.out


def test_without_modes_threads_and_batches_are_swept(tell):
    said = tell("sweep", MODEL, "--dry-run")
    assert said.code == 0, said.err
    assert "power mode" not in said.out
    assert "batch 1, 1 thread" in said.out
    assert "batch 4, 1 thread" in said.out


def test_what_is_not_there_is_refused(tell):
    assert tell("sweep").out.strip() == "no sweeps yet"
    assert json.loads(tell("sweep", "--json").out) == []
    for words in (("sweep", "nothing.onnx"), ("show", "nothing"), ("resume", "nothing"), ("cancel", "nothing")):
        said = tell(*words)
        assert said.code == 1
        assert said.err.startswith("error: ")


def test_what_nothing_here_executes_is_refused_before_anything_starts(tell, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    (tmp_path / "other.plan").write_bytes(bytes(range(256)) * 8)
    for words in ((str(tmp_path / "other.plan"),), (MODEL, "--backend", "tensorrt", "--set", "optimization_level=3,5")):
        said = tell("sweep", *words)
        assert said.code == 1
        assert said.err.startswith("error: ")
        assert "here" in said.err
        assert "TensorRT" in said.err
    assert tell("sweep").out.strip() == "no sweeps yet"


def test_plans_of_another_machine_are_refused_before_anything_starts(tell, tmp_path):
    plan = Path(shutil.copy(MODEL, tmp_path / "plan.onnx"))
    add_metadata(plan, {BUILT_FOR: "another", BUILT_WITH: "1.0"})
    said = tell("sweep", str(plan), "--threads", "1")
    assert said.code == 1
    assert "plan.onnx was built for another processor (another; this one: " in said.err
    assert tell("sweep").out.strip() == "no sweeps yet"


def test_where_no_row_can_be_measured_it_is_refused_with_the_reason(tell):
    said = tell("sweep", MODEL, "--modes", "none", "--device", "gpu", "--threads", "1")
    assert said.code == 2
    assert "error: nothing of it can be measured: ONNX Runtime does not run on gpu; sweep what can be executed here" in said.err
    assert tell("sweep").out.strip() == "no sweeps yet"
