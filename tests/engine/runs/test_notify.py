"""A run that ends tells so by the command of edgetui.toml, whatever that does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edgetui.engine.runs.notify import ending_words, run_command
from edgetui.engine.schema.failure import Failure
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.stamps import RecipeStamp
from edgetui.engine.schema.steps import Recipe

ASKED = RunRequest(
    run="one", ticket=1, wall="", edgetui="0", python="python", model_sha256="",
    spec=RunSpec(model="/models/it's a $(id) net.onnx", recipe=Recipe(name="int8")),
)  # fmt: skip
DONE = Result(
    run="one",
    state="done",
    recipe=RecipeStamp(name="int8"),
    verdict={"latency": "faster", "size": "smaller", "memory": "no difference shown"},
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "edgetui.toml"
    monkeypatch.setenv("EDGETUI_CONFIG", str(path))
    return path


def content(path: Path, limit_s: float = 20.0) -> str:
    """What a file holds, once something is in it."""
    end = time.monotonic() + limit_s
    while not (path.is_file() and path.stat().st_size):
        assert time.monotonic() < end, f"{path} was never written"
        time.sleep(0.02)
    return path.read_text()


def test_the_command_finds_what_to_tell_and_nothing_of_it_is_obeyed(settings: Path, tmp_path: Path):
    said, log = tmp_path / "said", tmp_path / "log.txt"
    words = " ".join(f'"$EDGETUI_{name}"' for name in ("TEXT", "RUN", "STATE", "VERDICT"))
    command = f'printf "%s|%s|%s|%s" {words} > {said}.part; mv {said}.part {said}; echo was told'
    settings.write_text(f"[notify]\ncommand = '{command}'")
    run_command(ASKED, DONE, log)
    assert content(said).split("|") == [
        "it's a $(id) net int8: done, faster; smaller",
        "one",
        "done",
        "faster; smaller; no difference shown: memory",
    ]
    assert content(log) == "was told\n"


def test_one_that_hangs_is_not_waited_for_and_outlives_whoever_started_it(settings: Path, tmp_path: Path):
    said = tmp_path / "said"
    settings.write_text(f"[notify]\ncommand = 'sleep 0.5; echo $$ > {said}'")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_notify as t\n"
        "t.run_command(t.ASKED, t.DONE, Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "log.txt")], check=True)
    assert not said.exists()
    assert int(content(said)) != os.getpid()


@pytest.mark.parametrize(
    "text", ["[notify]\ncommand = ''", "", "[notify", "[notify]\ncommand = 3", "[notify]\nterminal = 'loud'"]
)
def test_without_one_or_with_settings_that_cannot_be_read_nothing_is_done(settings: Path, tmp_path: Path, text: str):
    settings.write_text(text)
    run_command(ASKED, DONE, tmp_path / "log.txt")
    assert not (tmp_path / "log.txt").exists()


def test_a_log_that_cannot_be_written_ends_nothing(settings: Path, tmp_path: Path):
    settings.write_text("[notify]\ncommand = 'true'")
    run_command(ASKED, DONE, tmp_path / "gone" / "log.txt")


def test_the_words_of_one_that_failed_say_why_on_one_line():
    failed = Result(run="one", state="failed", error=Failure(stage="build", what="no\nspace", fix=""))
    assert ending_words("net", "int8", failed) == "net int8: failed, no space"
