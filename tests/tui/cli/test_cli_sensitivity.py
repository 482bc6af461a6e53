"""`edgetui sensitivity`: a table and a document, refusals in words, and what Ctrl+C leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.report.json_schemas import path_of

DEMO = PACKAGE / "profiles" / "demo"
MODEL, DATA = str(DEMO / "digits.onnx"), str(DEMO / "digits.toml")
FEW = ("--samples", "16")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(autouse=True)
def same_state(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test found the next one has."""
    monkeypatch.setenv("XDG_STATE_HOME", str(state))


def test_units_are_listed_and_are_what_the_schema_says(tell):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    said = tell("sensitivity", MODEL, "--dataset", DATA, *FEW, "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert {"model", "step", "rows", "knee", "reasons"} <= set(document)
    assert document["step"] == "quantize.int8"
    kls = [row["kl"] for row in document["rows"]]
    assert kls == sorted(kls, reverse=True)
    assert document["knee"] is None
    assert document["reasons"]["knee"]
    schema = json.loads(path_of("sensitivity").read_text(encoding="utf-8"))
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(document)) == []
    text = tell("sensitivity", MODEL, "--dataset", DATA, *FEW).out
    assert all(row["unit"] in text for row in document["rows"])
    assert "no labels used" in text


def test_a_sweep_shows_its_knee_and_the_weights(tell):
    said = tell("sensitivity", MODEL, "--step", "prune.magnitude", "--dataset", DATA, *FEW, "--at", "0.1")
    assert said.code == 0, said.err
    assert "threshold" in said.out
    assert "1e-06" in said.out
    assert "knee" in said.out
    assert "before" in said.out
    assert "after" in said.out


def test_settings_come_from_a_recipe(tell):
    words = ("sensitivity", MODEL, "--step", "prune.magnitude", "--recipe", "prune-5", "--over", "units", "--dataset", DATA)
    document = json.loads(tell(*words, *FEW, "--json").out)
    assert document["settings"]["amount"] == 0.05
    refused = tell(*words[:3], "quantize.int8", *words[4:])
    assert refused.code != 0
    assert "has no step quantize.int8" in refused.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "--random"),
        (("--random", "--dataset", DATA), "leave it out"),
        (("--random", "--over", "threshold"), "no setting `threshold`"),
        (("--random", "--step", "prune.magnitude", "--over", "amount", "--values", "3"), "cannot be 3"),
        (("--random", "--step", "prune.magnitude", "--values", "a,b"), "no list of numbers"),
        (("--random", "--step", "train.finetune"), "train.finetune"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(tell, words, complaint):
    said = tell("sensitivity", MODEL, *words)
    assert said.code != 0
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert complaint in said.err
    assert "; " in said.err


def test_what_was_found_is_kept_when_it_is_ended(state, tmp_path):
    """The rows that were there by then are printed; the same command goes on and has them all."""
    words = [sys.executable, "-m", "edgetui", "sensitivity", MODEL, "--step", "prune.magnitude", "--dataset", DATA, "--json"]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path)}
    going = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    end = time.monotonic() + 60
    while not list(tmp_path.rglob("rows.jsonl")) and time.monotonic() < end:
        time.sleep(0.005)
    going.send_signal(signal.SIGINT)
    out, err = going.communicate(timeout=60)
    assert going.returncode in (0, 130), err
    first = json.loads(out)
    done = subprocess.run(words, capture_output=True, env=environment, text=True, timeout=120, check=True)
    whole = json.loads(done.stdout)
    assert whole["state"] == "done"
    assert len(whole["rows"]) == 11
    assert first["state"] in ("unfinished", "done")
    known = {row["value"]: row for row in whole["rows"]}
    assert all(row == known[row["value"]] for row in first["rows"])
