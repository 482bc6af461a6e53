"""What is logged to MLflow, as its own client says it to a server; and the refusal where it is not installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.errors import StorageRefused
from edgetui.engine.report.evidence import evidence
from edgetui.engine.report.mlflow_log import metrics_of, params_of, refuse_without_mlflow, without_password
from edgetui.engine.report.run_export import export
from edgetui.engine.schema.figures import Metrics
from edgetui.engine.schema.result import encode
from mlflow_server import mlflow_server

CLIENT = """
import json, sys
from pathlib import Path
from edgetui.engine.errors import EdgetuiError
from edgetui.engine.report.evidence import evidence
from edgetui.engine.report.mlflow_log import log_runs
from edgetui.engine.schema.result import decode
try:
    runs = [decode(Path(path).read_bytes()) for path in sys.argv[3:]]
    print(json.dumps(log_runs(evidence(runs), Path(sys.argv[1]), sys.argv[2])))
except EdgetuiError as error:
    print(error)
"""
installed = pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="needs mlflow")


def log(folder: Path, uri: str, *results: Path) -> str:
    """In a process of its own, as the command line has it: its imports and warnings are its own."""
    command = [sys.executable, "-c", CLIENT, str(folder), uri, *map(str, results)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"NO_PROXY": "*"}, check=False)
    assert done.stdout, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.fixture
def exported(make, tmp_path):
    """A run's folder as `export` writes it."""
    source = tmp_path / make().run
    (source / "artifacts").mkdir(parents=True)
    (source / "artifacts" / "plan.onnx").write_bytes(b"plan")
    export(evidence([make()]), [source], tmp_path / "out")
    return tmp_path / "out"


@installed
def test_a_run_is_logged_with_all_its_figures_and_files(make, exported):
    with mlflow_server() as (uri, told):
        assert json.loads(log(exported, uri, exported / "result.json")) == ["run0"]
    run = told.runs["run0"]
    assert run["name"] == make().run
    assert run["status"] == "FINISHED"
    assert run["metrics"]["candidate.latency_ms.mean"] == pytest.approx(2.44 * 0.452)
    assert run["metrics"] == dict(metrics_of(make()))
    assert run["params"]["board.name"] == "a board"
    assert run["tags"]["verdict.latency"] == "faster"
    assert told.files["7/run0/artifacts/artifacts/plan.onnx"] == b"plan"
    assert told.files["7/run0/artifacts/report.html"] == (exported / "report.html").read_bytes()


@installed
def test_several_runs_are_logged_each_with_its_own_files(make, tmp_path):
    runs = [make("one"), make("two")]
    sources = [tmp_path / run.run for run in runs]
    for source in sources:
        source.mkdir()
    export(evidence(runs), sources, tmp_path / "out")
    results = [tmp_path / "out" / "runs" / run.run / "result.json" for run in runs]
    with mlflow_server() as (uri, told):
        assert json.loads(log(tmp_path / "out", uri, *results)) == ["run0", "run1"]
    names = {name for name in told.files if name.startswith("7/run1/")}
    assert {"7/run1/artifacts/report.html", "7/run1/artifacts/result.json"} <= names
    assert json.loads(told.files["7/run1/artifacts/result.json"])["recipe"]["name"] == "two"


@installed
def test_a_server_that_refuses_is_named_without_its_password_and_the_run_is_not_left_open(exported):
    with mlflow_server() as (uri, told):
        told.refuses = "log-batch"
        said = log(exported, uri.replace("//", "//me:secret@"), exported / "result.json")
    assert said.startswith(f"mlflow at {uri} did not take the runs")
    assert "secret" not in said
    assert f"the report is in {exported}" in said
    assert told.runs["run0"]["status"] == "FAILED"


@installed
def test_where_nobody_listens_that_is_said(exported):
    with mlflow_server() as (uri, _):
        pass
    assert f"mlflow at {uri} did not take the runs" in log(exported, uri, exported / "result.json")


def test_where_it_is_not_installed_that_is_said_before_anything_is_written(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(StorageRefused, match="mlflow is not installed") as caught:
        refuse_without_mlflow()
    assert "leave --mlflow out" in caught.value.fix


def test_what_is_not_known_is_not_logged(make):
    assert "candidate.latency_ms.p99" not in dict(metrics_of(make()))
    assert "candidate.latency_ms.p50" in dict(metrics_of(make()))
    nothing = msgspec.structs.replace(make(), candidate=Metrics())
    assert not [name for name, _ in metrics_of(nothing) if name.startswith("candidate.")]
    assert b"null" in encode(make())


def test_names_are_such_as_it_takes_and_values_not_too_long(make):
    odd = msgspec.structs.replace(
        make(), board=msgspec.structs.replace(make().board, temps_c={"a\x1b[31m:b": 50.0}, os="x" * 999)
    )
    params = dict(params_of(odd))
    assert all(name.replace("_", "").replace(".", "").isalnum() for name in params)
    assert max(map(len, params.values())) == 250
    assert "\x1b" not in "".join(params.values())


@pytest.mark.parametrize(
    ("uri", "shown"),
    [("http://me:pw@h:5000/x", "http://h:5000/x"), ("http://h", "http://h"), ("sqlite:///a@b.db", "sqlite:///a@b.db")],
)
def test_an_address_is_shown_without_its_password(uri, shown):
    assert without_password(uri) == shown
