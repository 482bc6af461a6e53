"""What shells are offered, and the man page."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from edgetui.engine.config import PACKAGE

BASH = """
source {script}
COMP_WORDS=({words}); COMP_CWORD={last}; COMPREPLY=()
_edgetui_completion "$EDGETUI"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def offered(tell, tmp_path, monkeypatch):
    """What bash offers for a line, through the script that is printed."""
    script = tmp_path / "completion"
    script.write_text(tell("completion", "bash").out)
    command = tmp_path / "edgetui"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m edgetui "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("EDGETUI", str(command))

    def ask(*words: str) -> list[str]:
        text = BASH.format(script=script, words=" ".join(map(shlex.quote, ("edgetui", *words))), last=len(words))
        # compopt is for a shell that completes; outside of one it fails, and says so
        done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.split()

    return ask


def test_bash_is_offered_commands_and_options(offered):
    assert offered("in") == ["inspect"]
    assert "--dry-run" in offered("run", "--d")


def test_bash_is_offered_recipes_datasets_studies_and_documents(offered):
    assert {"prune-5", "prune-5-fp16"} <= set(offered("run", "m.onnx", "--recipe", "prune-5"))
    assert "digits" in offered("run", "m.onnx", "--dataset", "dig")
    assert "qin2018" in offered("study", "qin")
    assert offered("schema", "sen") == ["sensitivity"]
    assert offered("config", "ui.ra") == ["ui.rate_hz"]


def test_bash_is_offered_boards_places_workloads_and_sources(offered, tmp_path, monkeypatch):
    boards = tmp_path / "fleet.toml"
    boards.write_text(
        '[[board]]\nname = "orin"\nhost = "orin"\n[[board]]\nname = "nano"\nhost = "nano"\nresources = { gpu = 1 }\n'
    )
    monkeypatch.setenv("EDGETUI_FLEET", str(boards))
    assert offered("run", "m.onnx", "--on", "orin,n") == ["orin,nano"]
    assert offered("run", "m.onnx", "--on", "orin,g") == ["orin,gpu"]
    assert offered("deploy", "last", "--to", "or") == ["orin:"]
    assert offered("run", "m.onnx", "--workload", "pa") == ["paced:"]
    assert "latency_ms" in offered("runs", "--sort", "lat")
    assert offered("monitor", "--source", "j") == ["jetson", "jtop"]


def test_fish_has_whole_sentences_of_what_an_option_does(tell):
    """It cut them at their first comma."""
    assert "string split --max 1" in tell("completion", "fish").out


def test_bash_is_offered_runs_the_newest_first(offered, own_state):
    for name in ("20260101-0000-old", "20260202-0000-new", ".made"):
        (own_state / "runs" / name).mkdir(parents=True)
    assert offered("show", "") == ["last", "20260202-0000-new", "20260101-0000-old"]
    assert offered("resume", "20260101") == ["20260101-0000-old"]


def test_a_broken_configuration_offers_less_and_says_nothing(offered, tmp_path, monkeypatch):
    (tmp_path / "broken.toml").write_text("[")
    monkeypatch.setenv("EDGETUI_CONFIG", str(tmp_path / "broken.toml"))
    assert "digits" not in offered("run", "m.onnx", "--dataset", "dig")


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete -o"), ("zsh", "#compdef edgetui"), ("fish", "complete --no-files")]
)
def test_each_shell_has_its_script(tell, shell, word):
    said = tell("completion", shell)
    assert said.code == 0
    assert word in said.out
    assert json.loads(tell("completion", shell, "--json").out) == {"shell": shell, "script": said.out.rstrip("\n") + "\n"}


@pytest.fixture
def manual(monkeypatch):
    """The module that makes the man page."""
    monkeypatch.syspath_prepend(str(PACKAGE / "docs" / "make"))
    return importlib.import_module("man")


def test_the_man_page_is_that_of_the_commands(manual):
    assert manual.PAGE.read_text(encoding="utf-8") == manual.page(), "make man writes it anew"


def test_roff_obeys_nothing_of_what_commands_say(manual):
    assert manual.escaped(".so /etc/passwd \\fB 'x' --y") == "\\&.so /etc/passwd \\efB \\(aqx\\(aq \\-\\-y"


def test_man_shows_the_page_without_a_warning(tool):
    argv = [tool("man"), "--warnings=mac,tab,el,char", "-l", str(PACKAGE / "docs" / "edgetui.1")]
    shown = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "MANWIDTH": "100"}, check=True, timeout=60)
    assert shown.stderr == ""
    assert "--dry-run" in shown.stdout
    assert Path(PACKAGE / "docs" / "edgetui.1").stat().st_size > 10_000
