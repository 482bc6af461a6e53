"""Every document that a command prints is what the schema that ships says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from edgetui.engine.report.json_schemas import DOCUMENTS, path_of
from edgetui.tui.cli import cli

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
DEMO = Path(path_of("result")).parents[1] / "demo"
MODEL, DATA = str(DEMO / "digits.onnx"), str(DEMO / "digits.toml")


@pytest.fixture
def in_built(built, monkeypatch):
    """Commands find the run that was built."""
    monkeypatch.setenv("XDG_STATE_HOME", str(built))


def faults(name: str, text: str) -> list[str]:
    schema = json.loads(path_of(name).read_text(encoding="utf-8"))
    found = jsonschema.Draft202012Validator(schema).iter_errors(json.loads(text))
    return [f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in found]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("result", ("show", "last")),
        ("comparison", ("compare", "last")),
        ("runs", ("runs",)),
        ("latencies", ("show", "last", "--latencies")),
        ("plan", ("inspect", "last")),
        ("model", ("inspect", MODEL)),
        ("forecast", ("run", MODEL, "--recipe", "int8", "--dataset", DATA, "--dry-run")),
        ("forecasts", ("run", MODEL, "--recipe", "int8", "--recipe", "prune-5", "--dataset", DATA, "--dry-run")),
        ("health", ("doctor",)),
        ("sample", ("monitor", "--once")),
        ("recipes", ("recipes",)),
        ("settings", ("config",)),
        ("studies", ("study",)),
        ("study_time", ("study", "rachmanto2024", "--small", "--dry-run")),
        ("error", ("show", "nobody")),
    ],
)
def test_what_is_printed_is_valid(in_built, tell, name, words):
    assert faults(name, tell(*words, "--json").out) == []


def test_what_build_printed_is_valid(built):
    assert faults("result", (built / "said.json").read_text()) == []


def test_what_export_prints_is_valid(in_built, tell, tmp_path):
    assert faults("exported", tell("export", "last", "--to", str(tmp_path / "out"), "--json").out) == []
    assert faults("result", (tmp_path / "out" / "result.json").read_text()) == []


def test_what_bench_prints_is_valid(tell, monkeypatch):
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.05")
    assert faults("metrics", tell("bench", MODEL, "--json").out) == []


def test_a_document_of_another_kind_is_not_valid(in_built, tell):
    assert faults("result", tell("runs", "--json").out) != []
    assert faults("sample", tell("show", "last", "--json").out) != []


def test_schemas_are_printed_and_named(tell):
    listed = json.loads(tell("schema", "--json").out)
    assert [row["document"] for row in listed] == list(DOCUMENTS)
    assert all(Path(row["file"]).is_file() for row in listed)
    assert json.loads(tell("schema", "result").out) == json.loads(path_of("result").read_text(encoding="utf-8"))
    said = tell("schema", "reslt")
    assert (said.code, said.err) == (2, "error: there is no document `reslt`; did you mean `result`?\n")


def test_every_command_that_a_schema_names_is_there():
    named = {each.split()[0] for document in DOCUMENTS.values() for each in document.printed_by} - {"any"}
    assert named <= set(cli.commands)
    assert set(cli.commands) - named == {"schema", "completion"}  # they print other files
