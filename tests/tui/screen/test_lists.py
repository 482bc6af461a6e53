"""The list of runs and the comparison, on run folders in files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.failure import Failure
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.choose import Choose
from edgetui.tui.screens.dialogs import Ask, Confirm
from edgetui.tui.screens.runs import RunsScreen
from listed_runs import open_list
from screens import screen_text, shows, until
from textual.widgets import Input
from textual.worker import WorkerFailed


async def test_the_list_says_how_each_run_ended(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run("done"), past_run("failed"), past_run("measure")
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await open_list(pilot)
        await shows(pilot, "✓ done", "✗ failed", "! crashed", "0.480 [0.470, 0.490]", "faster; smaller", "3 of 3")


async def test_a_high_screen_shows_what_became_of_the_run_under_the_cursor(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    """At 200x60 five runs stood above fifty blank rows, and the keys named what none of them could have done to it."""
    app = bare_app
    past_run("done"), past_run("failed")
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await open_list(pilot)
        await shows(pilot, "it was killed", "give it more memory", "enter open", "r resume")
        assert "c cancel" not in screen_text(app)
        await pilot.press("G")
        await shows(pilot, "candidate", "cosine 0.9991", "of the time")
        assert "give it more memory" not in screen_text(app)
        assert "r resume" not in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "cosine" not in screen_text(app))


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
async def test_date_time_and_top1_stand_there_and_no_verdict_is_cut_beside_empty_columns(
    bare_app: EdgetuiApp, past_run: Callable[..., str], width: int
):
    app, model = bare_app, Path("a-detector-of-small-things.onnx")
    past_run("done", model), past_run("failed", model)
    async with app.run_test(size=(width, 24), notifications=True) as pilot:
        await open_list(pilot)
        await shows(pilot, "began", "took", "top-1", "ratio", "faster; smaller", "it was killed", "0.800")
        rows = screen_text(app).splitlines()[2:4]
        assert max(map(len, rows)) <= width
        assert "no difference shown: top-1" in rows[1] or width < 140
        assert "energy" not in screen_text(app)
        await pilot.press("down")
        await shows(pilot, "faster; smaller; no difference shown: top-1")


async def test_an_empty_list_says_what_to_do(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("R")
        await shows(pilot, "nothing has run yet")


async def test_filter_and_sort(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run("done"), past_run("failed")
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        screen = await open_list(pilot)
        await pilot.press("slash", *"fail")
        await until(pilot, lambda: len(screen.shown()) == 1)
        assert "✓ done" not in screen_text(app)
        await pilot.press("escape")
        assert app.screen is screen
        assert [run.state for run in screen.shown()] == ["failed", "done"]
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("slash", *"latency_ratio", "enter")
        await shows(pilot, "sorted: ratio")
        assert [run.state for run in screen.shown()] == ["done", "failed"]


async def test_the_same_order_once_more_is_the_other_way(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    first, second = past_run("done"), past_run("failed")
    async with bare_app.run_test(size=(120, 24), notifications=True) as pilot:
        screen = await open_list(pilot)
        for order in ([first, second], [second, first]):
            await pilot.press("s")
            await until(pilot, lambda: isinstance(bare_app.screen, Choose))
            await pilot.press("enter")
            await until(pilot, lambda: bare_app.screen is screen)
            assert [run.run for run in screen.shown()] == order
        await shows(pilot, "sorted: newest")


async def test_what_is_typed_filters_by_its_whole_words_and_says_what_is_wrong(
    bare_app: EdgetuiApp, past_run: Callable[..., str]
):
    past_run("done"), past_run("failed")
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await open_list(pilot)
        await pilot.press("slash", *"state", "colon", *"done", "space", *"top1", "greater_than_sign")
        await shows(pilot, "wants a number", "1 of 2")
        await pilot.press("0", "full_stop", "9")
        await shows(pilot, "0 of 2")
        await pilot.press("backspace", "7", "enter")
        await shows(pilot, "filter `state:done top1>0.7`", "1 of 2")
        assert [run.state for run in screen.shown()] == ["done"]


async def test_tags_and_notes_are_written_and_gathered_by(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run("done"), past_run("failed")
    async with bare_app.run_test(size=(120, 24), notifications=True) as pilot:
        screen = await open_list(pilot)
        await pilot.press("space", "space", "t")
        await until(pilot, lambda: isinstance(bare_app.screen, Ask))
        await pilot.press(*"field", "space", *"wet", "enter")
        await until(pilot, lambda: all(run.tags == ("field", "wet") for run in screen.runs))
        await shows(pilot, "tags", "#field #wet")
        await pilot.press("space", "a")
        await until(pilot, lambda: isinstance(bare_app.screen, Ask))
        await pilot.press(*"rain", "enter")
        await until(pilot, lambda: any(run.note == "rain" for run in screen.runs))
        await pilot.press("b", "b", "b", "b", "b")
        await shows(pilot, " done   1", " failed   1", "by state")
        await pilot.press("g")
        assert screen.current()
        await pilot.press("t")
        await until(pilot, lambda: isinstance(bare_app.screen, Ask))
        await pilot.press(*"not/one", "enter")
        await shows(pilot, "can be no tag")


@pytest.mark.parametrize("size", [(160, 45), (80, 24)], ids=["all-panes", "one-pane"])
async def test_enter_goes_to_the_run_in_the_workbench(
    bare_app: EdgetuiApp, past_run: Callable[..., str], size: tuple[int, int]
):
    app = bare_app
    first = past_run("done")
    past_run("failed")
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_list(pilot)
        assert app.workbench.tab == "models"  # the newest run was shown at the start, and nobody asked for it
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.screen is app.workbench and app.link.view and app.link.view.run == first)
        assert app.workbench.tab == "run"
        await shows(pilot, "▲ faster")


async def test_deleting_asks_first_and_u_has_it_back(bare_app: EdgetuiApp, engine: Engine, past_run: Callable[..., str]):
    app = bare_app
    runs = {past_run("done"), past_run("failed"), past_run("done")}
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await open_list(pilot)
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        assert len(await engine.list()) == 3
        await pilot.press("space", "space", "D")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await shows(pilot, "u has them back")
        assert len(await engine.list()) == 1
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await shows(pilot, "nothing has run yet")
        assert await engine.list() == ()
        await pilot.press("u")
        await shows(pilot, "1 of 1")
        await pilot.press("u")
        await shows(pilot, "3 of 3")
        assert {run.run for run in await engine.list()} == runs
        await pilot.press("u")
        await shows(pilot, "the trash is empty")


async def test_what_is_going_is_not_asked_about_before_it_is_refused(
    bare_app: EdgetuiApp, past_run: Callable[..., str], own_state: Path
):
    """The refusal came after the yes, and named a command of the shell."""
    app = bare_app
    going = past_run("measure")
    with RunDir(own_state / "runs" / going).hold():
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await open_list(pilot)
            await pilot.press("D")
            await shows(pilot, f"error: run {going} is running; c on it ends it first")
            assert not isinstance(app.screen, Confirm)


async def test_an_answer_that_comes_after_its_screen_was_left_is_dropped(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run("done")
    answer = asyncio.Event()

    async def fill(screen: RunsScreen) -> None:
        await answer.wait()
        screen.write()

    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_list(pilot)
        app.run_in_background(partial(fill, screen), "late")
        await app.pop_screen()
        answer.set()
        await app.workers.wait_for_complete([worker for worker in app.workers if worker.group == "late"])


async def test_leaving_while_an_answer_is_on_its_way_ends_without_a_word(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run("done")

    async def keep_writing(screen: RunsScreen) -> None:
        while True:
            await asyncio.sleep(0)
            screen.write()

    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.run_in_background(partial(keep_writing, await open_list(pilot)), "late")


async def test_a_defect_of_a_screen_that_is_looked_at_is_not_hidden(bare_app: EdgetuiApp):
    app = bare_app

    async def look_for_nothing() -> None:
        app.screen.query_one("#nothing")

    async def look() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.workbench.settings.draft is not None)
            app.run_in_background(look_for_nothing, "defect")
            await pilot.pause()

    with pytest.raises(WorkerFailed, match="nothing"):
        await look()


async def test_u_takes_back_the_newest_deed_first_an_edit_as_well_as_a_deletion(
    bare_app: EdgetuiApp, engine: Engine, past_run: Callable[..., str]
):
    """After a note was edited `u` said that the trash is empty."""
    runs = [past_run("done"), past_run("failed")]
    await engine.note(runs[1], "as it was")
    await engine.tag(runs, ["field"])
    async with bare_app.run_test(size=(120, 24), notifications=True) as pilot:
        screen = await open_list(pilot)

        async def ask(key: str, text: str) -> None:
            await pilot.press(key)
            await until(pilot, lambda: isinstance(bare_app.screen, Ask))
            bare_app.screen.query_one(Input).value = text
            await pilot.press("enter")

        def remarks() -> list[tuple[str, tuple[str, ...]]]:
            return [(run.note, run.tags) for run in screen.runs]

        await ask("a", "with rain")
        await until(pilot, lambda: screen.runs[0].note == "with rain")
        await ask("t", "-field wet")
        await until(pilot, lambda: screen.runs[0].tags == ("wet",))
        await pilot.press("D")
        await until(pilot, lambda: isinstance(bare_app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: len(screen.runs) == 1)
        for then in (("with rain", ("wet",)), ("with rain", ("field",)), ("as it was", ("field",))):
            await pilot.press("u")
            await until(pilot, lambda then=then: remarks() == [then, ("", ("field",))])
        await pilot.press("u")
        await shows(pilot, "the trash is empty")


async def test_a_filter_that_finds_nothing_says_so_and_esc_clears_it(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    past_run("done"), past_run("failed")
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await open_list(pilot)
        await pilot.press("slash", *"nosuch")
        await shows(pilot, "nothing matches; esc clears it")
        await pilot.press("enter")
        await until(pilot, lambda: "/ filter" in screen_text(bare_app).splitlines()[-1])
        foot = screen_text(bare_app).splitlines()[-1]
        assert not [key for key in ("enter", "space", "C compare", "sort", "L layers", "esc back") if key in foot]
        await pilot.press("escape")
        await shows(pilot, "2 of 2", "✗")
        assert bare_app.screen is screen
        assert "nothing matches" not in screen_text(bare_app)


async def test_no_column_moves_while_a_filter_is_typed(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    """A filter that left failed runs alone took the columns of figures away, and those beside them moved."""
    past_run("done"), past_run("failed")
    async with bare_app.run_test(size=(100, 24), notifications=True) as pilot:
        screen = await open_list(pilot)
        heads = screen_text(bare_app).splitlines()[1]
        await pilot.press("slash", *"fail")
        await until(pilot, lambda: len(screen.shown()) == 1)
        assert screen_text(bare_app).splitlines()[1] == heads


NO_SPACE = f"no space left at /data/{'a-long-name/' * 9}plan.onnx"
FIX = "free some space, then try again"


def fail_with(run: RunDir, what: str, fix: str) -> None:
    result = run.result()
    assert result is not None
    run.write_result(msgspec.structs.replace(result, error=Failure(stage="build", what=what, fix=fix)))


async def test_why_a_run_failed_and_what_to_do_stand_below_the_list_and_in_the_strip(
    bare_app: EdgetuiApp, past_run: Callable[..., str], own_state: Path
):
    """At 80x24 the path ended without a mark, and what to do stood in the pane of the run alone."""
    fail_with(RunDir(own_state / "runs" / past_run("failed")), NO_SPACE, FIX)
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "✗ failed in build: no space left at /data/", "…", "plan.onnx", FIX)
        await open_list(pilot)
        await until(pilot, lambda: "no space left at /data/" in screen_text(bare_app).splitlines()[-3])
        foot = " ".join(row.strip() for row in screen_text(bare_app).splitlines()[-3:-1])
        assert "plan.onnx; " in foot
        assert foot.endswith(FIX)
        assert "…" in foot


async def test_a_long_note_has_the_rows_that_nothing_else_needs(
    bare_app: EdgetuiApp, engine: Engine, past_run: Callable[..., str]
):
    """It was cut without a mark above an empty row."""
    note = " ".join(f"word{n}" for n in range(18))
    await engine.note(past_run("measure"), note)
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_list(pilot)
        await shows(pilot, "word0 ", "word17")
        await engine.note("last", f"{note} {note}")
        await until(pilot, lambda: "…" in "".join(screen_text(bare_app).splitlines()[-4:-1]))


@pytest.mark.parametrize("text", ["recipe:both or recipe:int8", "RECPIE:both"])
async def test_what_a_filter_does_not_know_is_said(bare_app: EdgetuiApp, past_run: Callable[..., str], text: str):
    """Both were looked for as text, and no run was left."""
    past_run("done")
    async with bare_app.run_test(size=(100, 24), notifications=True) as pilot:
        screen = await open_list(pilot)
        await pilot.press("slash")
        screen.entry.insert(text)
        await pilot.press("enter")
        await shows(pilot, "recipe:int8|fp16" if "or" in text.split() else "did you mean `recipe`?")
        assert screen.shown()
