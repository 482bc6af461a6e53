"""What commands print: one JSON document with --json, plain words without, ASCII where the locale knows no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema import result as documents
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.plan import PlanFacts
from edgetui.engine.schema.run_summary import RunSummary

DEMO = PACKAGE / "profiles" / "demo"
MODEL, DATA = str(DEMO / "digits.onnx"), str(DEMO / "digits.toml")


@pytest.fixture
def in_built(built, monkeypatch):
    """Commands find the run that was built."""
    monkeypatch.setenv("XDG_STATE_HOME", str(built))


def spawn(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "edgetui", *words], capture_output=True, env=os.environ | environment, timeout=60, check=False
    )


def test_build_prints_its_document_and_leaves_the_plan(built):
    result = documents.decode((built / "said.json").read_bytes())
    assert result.state == "done"
    assert [stage.name for stage in result.stages] == ["inspect", "normalise", "quantize.int8", "lower", "build", "verify"]
    (plan,) = (built / "out").glob("plan*")
    assert plan.stat().st_size < 0.4 * (DEMO / "digits.onnx").stat().st_size


def test_build_says_what_its_steps_warn_of(tmp_path):
    recipe = tmp_path / "all.toml"
    recipe.write_text('[[step]]\nmethod = "prune.channels"\namount = 1.0\nstatistics = false\nrepair = false\n')
    words = ("build", MODEL, "--recipe", str(recipe), "--out", str(tmp_path / "out"))
    said = spawn(*words, XDG_STATE_HOME=str(tmp_path / "state")).stdout.decode()
    assert "! " in said
    assert "multiplications are left, where such shares" in " ".join(said.split())


def test_show_prints_the_same_document_as_the_run(built, in_built, tell):
    said = tell("show", "last", "--json")
    assert documents.decode(said.out.encode()) == documents.decode((built / "said.json").read_bytes())
    text = tell("show", "last").out
    assert "done" in text.splitlines()[0]
    assert "quantize.int8" in text


def test_runs_lists_it_and_rebuilds(in_built, tell):
    (one,) = msgspec.json.decode(tell("runs", "--json").out, type=tuple[RunSummary, ...])
    assert (one.state, one.recipe) == ("done", "int8")
    assert one.run in tell("runs").out
    assert one.run in tell("runs", "--rebuild").out


def test_watch_of_an_ended_run_tells_its_past(in_built, tell):
    said = tell("watch", "last")
    assert said.code == 0
    lines = [line for line in said.out.splitlines() if line.startswith(" ✓")]
    assert [line.split()[1] for line in lines] == ["inspect", "normalise", "quantize.int8", "lower", "build", "verify"]


def test_export_writes_the_report(in_built, tell, tmp_path):
    said = tell("export", "last", "--to", str(tmp_path / "out"), "--json")
    files = {os.path.basename(name) for name in json.loads(said.out)["files"]}
    assert {"report.html", "report.md", "report.json", "result.json", "figures.csv", "recipe.toml", "run.toml"} <= files
    assert "Nothing was computed again from latencies.npz: the run has none" in (tmp_path / "out" / "report.html").read_text()
    again = tell("export", "last", "--to", str(tmp_path / "out"))
    assert (again.code, again.err) == (1, f"error: {tmp_path / 'out'} is there already; name a new folder\n")


def test_an_older_result_is_exported_from_a_folder_of_another_name(tell, own_state, tmp_path):
    folder = own_state / "runs" / "kept"
    folder.mkdir(parents=True)
    (folder / "result.json").write_bytes((Path(__file__).parents[2] / "support" / "older_result.json").read_bytes())
    said = tell("export", "kept", "--to", str(tmp_path / "out"))
    assert said.code == 0, said.err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "older against FP32" in page
    assert "Nothing was computed again from latencies.npz" in page
    said = tell("export", "kept", "--to", str(tmp_path / "layers"), "--layers")
    assert said.code == 0, said.err
    assert (tmp_path / "layers" / "report.html").read_text().count("Not known here: ") == 2


def test_export_names_what_is_not_there(in_built, tell, tmp_path):
    assert "there is no run `nobody`" in tell("export", "last", "nobody", "--to", str(tmp_path / "out")).err
    assert tell("export", "last", "--to", str(tmp_path / "out"), "--goal", "fastet").err.endswith("did you mean `fastest`?\n")
    assert not (tmp_path / "out").exists()


def test_compare_of_what_was_not_measured_says_so(in_built, tell):
    said = tell("compare", "last")
    assert said.code == 0
    assert "was not measured" in said.out
    assert json.loads(tell("compare", "last", "--json").out)["columns"] == ["FP32", "int8"]


def test_a_run_that_is_done_is_not_resumed_or_cancelled(in_built, tell):
    assert "is done" in tell("resume", "last").err
    assert "is not running" in tell("cancel", "last").err


def test_inspect_by_name_and_by_path(tell):
    facts = msgspec.json.decode(tell("inspect", "digits", "--json").out, type=ModelFacts)
    assert facts.operators["Conv"] == 3
    assert "Conv 3" in tell("inspect", MODEL).out


def test_inspect_of_a_plan_and_of_a_run_prints_layers(built, in_built, tell):
    facts = msgspec.json.decode(tell("inspect", "last", "--json").out, type=PlanFacts)
    assert {layer.precision for layer in facts.layers if layer.kind == "QLinearConv"} == {"INT8"}
    assert any(layer.origin == ("/conv1/Conv",) for layer in facts.layers)
    text = tell("inspect", facts.path).out
    assert "QLinearConv" in text
    assert "FP32 islands" in text
    assert "reformat" in text
    baseline = tell("inspect", "last", "--baseline").out
    assert "baseline" in baseline.splitlines()[0]
    assert "QLinearConv" not in baseline
    assert "has no second plan: its candidate is one plan" in tell("inspect", "last", "--second").err


def test_inspect_with_layers_builds_a_plan_of_a_model_first(tell):
    said = tell("inspect", MODEL, "--layers", "--threads", "1")
    assert said.code == 0
    assert "/conv1/Conv" in said.out
    assert tell("inspect", MODEL, "--baseline").code == 2
    assert tell("inspect", MODEL, "--second").code == 2
    assert tell("inspect", "last", "--second", "--baseline").code == 2


def test_a_dry_run_says_what_will_happen_and_starts_nothing(tell, own_state):
    said = tell("run", MODEL, "--recipe", "int8", "--dataset", DATA, "--dry-run")
    assert said.code == 0
    assert "→ about" in said.out
    assert "up to 500 of digits-calibration.npz to calibrate" in said.out
    refused = tell("run", MODEL, "--recipe", "int8", "--dry-run", "--json")
    assert refused.code == 1
    assert "needs samples" in json.loads(refused.out)["errors"][0]
    assert not list((own_state / "runs").glob("*"))


def test_a_dry_run_says_how_pictures_become_the_input_where_nobody_did(tell, digits):
    said = tell("run", MODEL, "--recipe", "int8", "--dataset", str(digits()), "--dry-run")
    assert said.code == 0
    words = " ".join(said.out.split())
    assert words.startswith("! nothing says how images of digits become the model's input: GRAY divided by 255")
    stated = tell("run", MODEL, "--recipe", "int8", "--dataset", str(digits('color = "GRAY"')), "--dry-run")
    assert "nothing says" not in stated.out


def test_a_dry_run_says_what_blocks_first(tell, digits):
    said = tell("run", MODEL, "--recipe", "prune-5-fp16", "--dataset", str(digits('color = "RGB"')), "--dry-run")
    assert said.code == 1
    assert said.out.splitlines()[0] == "✗ this would be refused:"
    assert 'write color = "GRAY"' in said.out
    assert "· scattered zeros" in said.out


def test_a_dry_run_says_that_the_backend_is_not_here(tell, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))  # a machine without a GPU
    said = tell("run", MODEL, "--recipe", "int8", "--dataset", DATA, "--backend", "tensorrt", "--dry-run")
    assert said.code == 1
    assert said.out.splitlines()[0] == "✗ this would be refused:"
    assert "TensorRT" in said.out.splitlines()[1]


def test_recipes_lists_them_all(tell):
    assert "prune-5-fp16" in tell("recipes").out
    assert len(json.loads(tell("recipes", "--json").out)) >= 13


def test_lang_c_gets_ascii(tmp_path):
    done = spawn("inspect", MODEL, LC_ALL="C", XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert b"Conv 3" in done.stdout


def test_a_closed_pipe_is_no_failure():
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{sys.executable}' -m edgetui recipes | head -1 >/dev/null"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""


def test_last_is_the_newest_whatever_its_name(tmp_path):
    for ticket, name in ((2, "20261120-1401-net-prune"), (3, "20261120-1401-net-int8"), (1, "20261120-1401-zoo")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.toml").write_text(f'run = "{name}"\nticket = {ticket}\n')
    assert RunDir.find(tmp_path, "last").name == "20261120-1401-net-int8"
