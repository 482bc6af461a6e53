"""Folders that are damaged, deleted or written to by others while they are shown."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Models
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema import events as ev
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens import runs
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.screens.layers import LayersScreen
from edgetui.tui.screens.runs import RunsScreen
from screens import shows, until


def note(text: str, n: int = 900) -> bytes:
    return ev.encode(ev.Note(n=n, t=5.0, stage="measure", level="info", text=text)) + b"\n"


@pytest.fixture
def going(own_state: Path, past_run: Callable[..., str]) -> RunDir:
    """A run that is measuring, if somebody holds it."""
    return RunDir(own_state / "runs" / past_run("measure"))


async def test_what_is_no_event_is_passed_over_and_what_follows_is_shown(bare_app: EdgetuiApp, going: RunDir):
    file = going.path / "events.jsonl"
    with going.hold():
        async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(pilot, lambda: bare_app.link.view and bare_app.link.view.stage == "measure")
            with file.open("ab") as out:
                out.write(
                    b"garbage\n\xff\xfe\x00\n{}\n[]\n" + b'{"n": 1, "t": "x", "kind": "progress"}\n' + b"x" * 100_000 + b"\n"
                )
                out.write(note("said after all that") + note("half of a line")[:30])
            await shows(pilot, "said after all that")


async def test_a_hundred_thousand_events_leave_the_newest_in_the_log(bare_app: EdgetuiApp, going: RunDir):
    with (going.path / "events.jsonl").open("ab") as out:
        out.write(note("one of many") * 100_000 + note("the last of all"))
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "the last of all")
        assert len(bare_app.link.view.log) == bare_app.link.view.log.maxlen


async def test_events_that_can_be_read_no_longer_are_an_error_in_words(bare_app: EdgetuiApp, going: RunDir):
    with going.hold():
        async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(pilot, lambda: bare_app.link.view and bare_app.link.view.stage == "measure")
            (going.path / "events.jsonl").unlink()
            (going.path / "events.jsonl").mkdir()
            await shows(pilot, "error: Is a directory", "try again", "lost: Is a directory")
            assert not bare_app.pace.hush


async def test_runs_that_go_while_they_are_marked(
    bare_app: EdgetuiApp, own_state: Path, past_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runs, "REFRESH_S", 3600.0)  # the list does not look by itself between going and the key
    past_run("done"), past_run("done"), past_run("done")
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen) and len(bare_app.screen.runs) == 3)
        await pilot.press("space", "space")
        shutil.rmtree(own_state / "runs")
        await pilot.press("C")
        await shows(pilot, "there is no run")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(bare_app.screen, RunsScreen))
        await pilot.press("L")
        await until(pilot, lambda: isinstance(bare_app.screen, LayersScreen))
        await shows(pilot, "there is no run")
        await pilot.press("escape", "escape", "R")
        await shows(pilot, "nothing has run yet")


@pytest.mark.parametrize("left", [b"\xff\xfe garbage = =", b"a = 1\n", None])
async def test_a_run_whose_request_is_broken_does_not_hide_the_others(
    bare_app: EdgetuiApp, own_state: Path, past_run: Callable[..., str], left: bytes | None
):
    broken = own_state / "runs" / past_run("done") / "run.toml"
    past_run("failed")
    broken.write_bytes(left) if left is not None else broken.unlink()
    (own_state / "runs" / "\x1b[31m[red]").mkdir()
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("R")
        await shows(pilot, "✗ failed")
        for _ in range(2):
            await pilot.press("end", "L", "escape", "C", "escape", "home")
        await shows(pilot, "✗ failed")


async def test_pictures_of_a_comparison_go_on_without_a_run_that_is_deleted_meanwhile(
    bare_app: EdgetuiApp, own_state: Path, past_run: Callable[..., str]
):
    kept, gone = past_run("done"), past_run("done")
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        bare_app.push_screen(CompareScreen([kept, gone]))
        await until(pilot, lambda: isinstance(bare_app.screen, CompareScreen) and bare_app.screen.comparison)
        shutil.rmtree(own_state / "runs" / gone)
        await pilot.press("b")
        await shows(pilot, "1 of 2 runs is deleted: the picture is without")


async def test_a_model_folder_that_changes_and_goes(tmp_path: Path, own_state: Path):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "first.onnx").write_bytes(b"no model")
    config = Config(models=Models(folders=(str(folder),)))
    app = EdgetuiApp(config, Engine(config, own_state))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "first")
        (folder / "first.onnx").rename(folder / "second.onnx")
        await pilot.press("r")
        await shows(pilot, "error: ")
        await pilot.press("f5")
        await shows(pilot, "second")
        shutil.rmtree(folder)
        await pilot.press("f5")
        await shows(pilot, "there is no such folder")
        folder.write_text("a file")
        await pilot.press("f5", "r")
        await shows(pilot, "no model is chosen")
