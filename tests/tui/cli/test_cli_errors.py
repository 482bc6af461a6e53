"""Every failure a user can cause: one line `error: what; fix` on stderr, the right exit status, never a traceback."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import click
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.tui.cli import cli

COMMANDS = sorted(cli.commands)
MODEL = str(PACKAGE / "profiles" / "demo" / "digits.onnx")


def refused(said, code=1):
    assert said.code == code
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert "; " in said.err
    assert "Traceback" not in said.err + said.out
    return said.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(tell, command):
    said = tell(command, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: edgetui {command}")
    assert "--json" in said.out


def test_all_commands_of_the_contract_are_there():
    wanted = "demo run build bench inspect runs show watch cancel resume compare export doctor"
    assert set(wanted.split()) <= set(COMMANDS)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rnu"], "`rnu`; did you mean `run`? see `edgetui"),
        (["runs", "--wher", "x"], "`--wher`; did you mean one of: `--help`, `--where`? see"),
        (["run"], "argument"),
        (["run", "m.onnx", "--preset", "slow"], "`quick`"),
        (["run", "m.onnx", "--presett"], "--presett"),
        (["export", "x"], "--to"),
        (["compare"], "RUN"),
        (["show", "a", "b"], "unexpected"),
    ],
)
def test_usage_exits_2_and_points_at_the_help(tell, words, says):
    message = refused(tell(*words), 2)
    assert says in message
    assert "--help`" in message


@pytest.mark.parametrize("flag", [["--shape", "image=1x"], ["--workload", "paced:x"]])
def test_a_flag_that_cannot_be_is_usage_too(tell, flag):

    refused(tell("run", MODEL, *flag), 2)


@pytest.mark.parametrize("words", [["show", "nix"], ["inspect", "/nowhere/m.onnx"], ["run", MODEL, "-r", "int9"]])
def test_a_refusal_is_a_document_too_where_documents_are_wanted(tell, words):
    said = tell(*words, "--json")
    error = json.loads(said.out)["error"]
    assert refused(said) == f"error: {error['what']}; {error['fix']}\n"
    assert tell(*words).out == ""


def test_a_document_names_the_settings_that_mend_it(tell):
    error = json.loads(tell("run", MODEL, "-r", "int8", "--json").out)["error"]
    assert "--calibration D" in error["fix"]
    assert [fix["setting"] for fix in error["fixes"]] == ["calibration", "dataset"]


@pytest.mark.parametrize("words", [["run", "--json"], ["monitor", "--json", "--source", "jtop", "--replay", "x"]])
def test_wrong_usage_is_a_document_too(tell, words):
    said = tell(*words)
    assert json.loads(said.out)["error"]["what"] in refused(said, 2)


def test_without_a_terminal_there_is_no_workbench(tell):
    assert "needs a terminal" in refused(tell(), 2)


@pytest.mark.parametrize("command", ["show", "watch", "cancel", "resume", "compare"])
def test_a_run_that_is_not_there(tell, command):
    assert "no run `nix`; `edgetui runs`" in refused(tell(command, "nix"))


def test_a_model_that_is_not_there_or_no_file(tell, tmp_path):
    assert "no model" in refused(tell("inspect", str(tmp_path / "m.onnx")))
    assert "is a folder" in refused(tell("inspect", str(tmp_path)))
    assert "did you mean `digits`?" in refused(tell("inspect", "digit"))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x09" * 500])
def test_a_file_that_is_no_model(tell, tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    refused(tell("inspect", str(tmp_path / "m.onnx")))


def test_data_and_recipes_that_are_not_there(tell):

    assert "dataset" in refused(tell("run", MODEL, "--dataset", "/nowhere/x.npz"))
    assert "did you mean `int8`?" in refused(tell("run", MODEL, "--recipe", "int9"))


@pytest.mark.parametrize("words", [["run", MODEL], ["build", MODEL, "--out", "nowhere"]])
def test_int8_without_samples_is_refused_before_it_starts(tell, own_state, words):
    assert "--calibration D" in refused(tell(*words, "--recipe", "int8"))
    assert not (own_state / "runs").exists()


def test_a_recipe_with_a_wrong_amount(tell, tmp_path):

    (tmp_path / "r.toml").write_text('[[step]]\nmethod = "prune.magnitude"\namount = 1.5\n')
    assert "amount = 1.5" in refused(tell("run", MODEL, "--recipe", str(tmp_path / "r.toml")))


def test_a_configuration_with_an_unknown_key(tell, tmp_path, monkeypatch):
    file = tmp_path / "edgetui.toml"
    file.write_text("[ui]\ngraf = 1\n")
    monkeypatch.setenv("EDGETUI_CONFIG", str(file))
    message = refused(tell("runs"))
    assert "`ui.graf`" in message
    assert "did you mean `graph`?" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="needs another user than root, who may write anywhere")
def test_a_state_folder_that_cannot_be_written(tell, tmp_path, monkeypatch):

    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert "XDG_STATE_HOME" in refused(tell("run", MODEL, "--recipe", "fp16"))


def test_a_defect_of_ours_goes_to_a_file_whose_path_is_shown(tell, own_state):
    def fail():
        raise RuntimeError("two\nlines")

    cli.add_command(click.Command("boom", callback=fail))
    try:
        message = refused(tell("boom"))
    finally:
        del cli.commands["boom"]
    (file,) = own_state.glob("traceback-*.txt")
    assert str(file) in message
    assert "RuntimeError: two\nlines" in file.read_text()


def test_ctrl_c_is_130(tell):
    def interrupt():
        raise KeyboardInterrupt

    cli.add_command(click.Command("stop", callback=interrupt))
    try:
        assert tell("stop").code == 130
    finally:
        del cli.commands["stop"]


def test_a_name_that_is_not_utf8_is_refused_in_words(tell, own_state):
    message = refused(tell("run", os.fsdecode(b"/models/clef\xe9.onnx"), "--recipe", "fp16"), 2)
    assert "`/models/clef?.onnx` is not UTF-8" in message
    assert not list(own_state.glob("traceback-*.txt"))


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_no_defect(own_state, streams):
    command = f"{sys.executable} -m edgetui inspect {MODEL} {streams}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("digits" in done.stdout) == (">&-" not in streams.replace("2>&-", ""))


def test_timing_where_the_state_folder_cannot_be_says_so(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    done = subprocess.run(
        [sys.executable, "-m", "edgetui", "bench", MODEL], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "/dev/null/edgetui" in done.stderr


@pytest.mark.parametrize("path", ["~nobody-has-this-name/m", "x" * 300])
@pytest.mark.parametrize(
    "words", [("inspect", "{}"), ("run", MODEL, "-r", "{}/x.toml"), ("run", MODEL, "-r", "int8", "--dataset", "{}")]
)
def test_a_path_that_can_be_none_is_refused_like_one_that_is_not_there(tell, path, words):
    refused(tell(*(word.format(path) for word in words)))


@pytest.mark.parametrize("words", [["inspect", ""], ["run", MODEL, "--dataset", ""], ["run", MODEL, "--recipe="], ["show", ""]])
def test_an_empty_word_names_nothing(tell, words):
    assert "empty" in refused(tell(*words), 2)


@pytest.mark.parametrize("flag", ["--interval", "--speed"])
def test_no_number_is_no_number_of_seconds(tell, flag):
    assert "nan is not a number" in refused(tell("monitor", flag, "nan", "--once"), 2)


def test_a_pipe_is_no_model(tell, tmp_path):
    os.mkfifo(tmp_path / "m.onnx")
    assert "is a pipe" in refused(tell("inspect", str(tmp_path / "m.onnx")))
