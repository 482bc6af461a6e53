"""A run that ends tells so by the command of edgetui.toml, whatever that does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config
from edgetui.engine.runs.assemble import close_cancelled
from edgetui.engine.runs.board_queue import Device, enter
from edgetui.engine.runs.event_log import EventLog
from edgetui.engine.runs.folder import RunDir, create
from edgetui.engine.runs.notify import ending_words, run_command
from edgetui.engine.schema import events
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


@pytest.fixture
def killed(own_state: Path) -> RunDir:
    """A run whose supervisor is gone, and has said nothing of it."""
    folder = create(own_state, ASKED)
    log = EventLog(folder)
    log.write(events.RunBegan(stages=("build",)))
    log.write(events.StageBegan(stage="build"))
    log.close()
    return folder


async def listed(engine: Engine) -> None:
    await engine.list()


async def watched(engine: Engine) -> None:
    assert len([event async for event in engine.watch("one")]) == 2


async def said(engine: Engine) -> None:
    await engine.ending_words("one")


async def waited_behind(engine: Engine) -> None:
    enter(engine.home, 1, "one")
    os.utime(engine.home / "queue" / "000000001 one", (0, 0))
    assert Device(engine.home, 2, "two").free()


@pytest.mark.parametrize("notice", [listed, watched, said, waited_behind])
def test_who_notices_first_that_a_run_was_killed_tells_it_once(settings: Path, tmp_path: Path, killed: RunDir, notice):
    heard = tmp_path / "heard"
    settings.write_text(f"[notify]\ncommand = 'echo \"$EDGETUI_STATE $EDGETUI_TEXT\" >> {heard}'")
    engine = Engine(Config(), killed.path.parents[1])
    asyncio.run(notice(engine))
    words = content(heard)
    assert words == "crashed it's a $(id) net int8: crashed, interrupted in stage build\n"
    (killed.path / "log.txt").unlink()
    for again in (listed, watched, said, waited_behind):
        asyncio.run(again(engine))
    assert not (killed.path / "log.txt").exists(), "no second command was started"


def test_what_was_killed_long_ago_is_taken_up_again_or_lives_is_not_told(settings: Path, killed: RunDir):
    settings.write_text("[notify]\ncommand = 'true'")
    engine = Engine(Config(), killed.path.parents[1])
    with killed.hold():
        asyncio.run(listed(engine))
    os.utime(killed.path / "events.jsonl", (0, 0))
    asyncio.run(listed(engine))
    log = EventLog(killed)
    log.write(events.RunEnded(state="cancelled"))
    log.close()
    asyncio.run(listed(engine))
    assert not (killed.path / "log.txt").exists()


def test_a_run_that_had_to_be_killed_to_cancel_it_is_told(settings: Path, tmp_path: Path, killed: RunDir):
    heard = tmp_path / "heard"
    settings.write_text(f"[notify]\ncommand = 'echo $EDGETUI_STATE >> {heard}'")
    close_cancelled(killed.path.parents[1], killed)
    assert content(heard) == "cancelled\n"


def test_one_that_was_cancelled_before_its_model_was_read_is_called_by_the_model(killed: RunDir):
    killed.write_result(Result(run="one", state="cancelled", recipe=RecipeStamp(name="int8")))
    engine = Engine(Config(), killed.path.parents[1])
    assert asyncio.run(engine.ending_words("one")) == "it's a $(id) net int8: cancelled"
