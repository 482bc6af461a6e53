"""What a person does with the keyboard in the workbench, on a real engine, real files and real model processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.api import Engine, Forecast
from edgetui.engine.config import Config, Ui
from edgetui.engine.errors import EdgetuiError
from edgetui.engine.schema.steps import STEPS, PruneMagnitude, QuantizeInt8
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.dialogs import Confirm
from edgetui.tui.screens.runs import RunsScreen
from edgetui.tui.screens.workbench import WorkbenchScreen
from screens import screen_text, shows, until


def bench_of(app: EdgetuiApp) -> WorkbenchScreen:
    return app.workbench


async def pick_recipe(pilot, name: str) -> None:
    bench = pilot.app.workbench
    await until(pilot, lambda: bench.settings.draft is not None)
    bench.load_recipe(name)
    await pilot.press("2")
    await pilot.pause()


async def test_the_highlighted_model_is_read_and_what_will_happen_is_said(app: EdgetuiApp):
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "prune-5")
        await shows(pilot, "opset 17", "image  f32 [batch,1,8,8]", "onnxruntime reads it", "scattered zeros")


@pytest.mark.parametrize(
    ("said", "mark", "first"),
    [("", "!", "nothing says how images of pets become"), ('color = "RGB"', "✗", "color RGB does not")],
)
async def test_what_opening_the_data_tells_is_said_before_the_run(app: EdgetuiApp, tmp_path, said, mark, first):
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (8, 8)).save(tmp_path / "pets" / name / f"{number}.png")
    (tmp_path / "pets.toml").write_text(f'kind = "image-folder"\npath = "pets"\ntask = "none"\n[input]\n{said}\n')
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "prune-5")
        settings = bench_of(app).settings
        settings.draft.change(dataset=str(tmp_path / "pets.toml"))
        settings.take(settings.draft)
        await until(pilot, lambda: first in " ".join(settings.what.plain().split()))
        assert settings.what.lines[0][0][0].strip() == mark
        assert settings.what.lines[-1][-1][1] == "dim"  # scattered zeros are no more than a remark
        if mark == "✗":
            assert settings.what.lines[0][1][1] == "bad"
            await pilot.press("r")
            await shows(pilot, "this cannot run yet")


async def test_a_file_that_is_no_model_is_an_error_in_its_pane_not_a_crash(app: EdgetuiApp):
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).models.model)
        await pilot.press("1", "down")
        await shows(pilot, "zz-broken.onnx", "✗")
        await until(pilot, lambda: "zz-broken.onnx" in bench_of(app).settings.what.lines[0][1][0])
        first = bench_of(app).settings.what.lines[0]
        assert first[0] == (" ✗ ", "bad")  # what stands in the way, in red, as the command line says it
        assert "zz-broken.onnx" in first[1][0]


async def test_a_dataset_that_has_gone_stands_in_the_way_in_red(app: EdgetuiApp, tmp_path: Path):
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).models.model)
        settings = bench_of(app).settings
        settings.draft.change(dataset=str(tmp_path / "gone.toml"))
        settings.take(settings.draft)
        await until(pilot, lambda: "is not there" in " ".join(settings.what.plain().split()))
        assert settings.what.lines[0][0] == (" ✗ ", "bad")
        assert settings.what.lines[0][1][1] == "bad"


async def test_without_models_the_pane_says_what_to_do(tmp_path: Path, own_state: Path):
    config = Config()
    async with EdgetuiApp(config, Engine(config, own_state)).run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "no models yet", "press o to open a folder")


async def test_the_filter_keeps_what_has_the_letters(app: EdgetuiApp):
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "tiny", "broken")
        await pilot.press("slash", *"TIN", "enter")
        await until(pilot, lambda: "broken" not in screen_text(app))
        assert "/ TIN" in screen_text(app)
        await pilot.press("slash", "escape")
        await shows(pilot, "broken")


async def test_a_folder_that_is_opened_stands_in_the_tree_with_its_model_highlighted(
    app: EdgetuiApp, tmp_path: Path, model: Path
):
    there = tmp_path / "field"
    there.mkdir()
    (there / "second.onnx").write_bytes(model.read_bytes())
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).models.model)
        await pilot.press("o", "p")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "ask-line")
        app.focused.value = str(there / "missing")
        await pilot.press("enter")
        await shows(pilot, "there is no")
        app.focused.value = str(there / "second.onnx")
        await pilot.press("enter")
        await until(pilot, lambda: bench_of(app).models.model == str(there / "second.onnx"))


async def test_a_folder_that_is_opened_has_the_cursor_on_its_first_model(app: EdgetuiApp, tmp_path: Path, model: Path):
    there = tmp_path / "field"
    there.mkdir()
    (there / "first.onnx").write_bytes(model.read_bytes())
    (there / "second.onnx").write_bytes(model.read_bytes())
    (tmp_path / "empty").mkdir()
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).models.model)
        for folder in (f"{there}{os.sep}", str(tmp_path / "empty"), str(there)):  # the second time it is known already
            await pilot.press("colon", *f"open {folder}", "enter")
            rows = bench_of(app).models.tree_rows
            expected = f"folder:{folder}" if folder.endswith("empty") else str(there / "first.onnx")
            await until(pilot, lambda rows=rows, expected=expected: rows.cursor == expected)
            if not folder.endswith("empty"):
                assert bench_of(app).models.model == expected


async def test_fields_are_edited_with_the_arrows_and_by_typing(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "prune-5")
        draft = bench_of(app).settings.draft
        bench_of(app).settings.rows.point("field:0:scope")
        await pilot.press("right")
        assert draft.recipe.step[0].scope == "global"
        await pilot.press("down", "right", "right")
        assert draft.recipe.step[0].amount == pytest.approx(0.15)
        await pilot.press("0", ".", "4", "2", "enter")
        assert draft.recipe.step == (PruneMagnitude(scope="global", amount=0.42),)
        assert "* edited" in screen_text(app)
        await pilot.press("u", "u", "u", "u")
        assert draft.recipe.step == (PruneMagnitude(scope="layer", amount=0.05),)


async def test_a_value_that_cannot_be_is_refused_with_words_and_the_typing_goes_on(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "prune-5")
        bench = bench_of(app)
        bench.settings.rows.point("field:0:amount")
        await pilot.press("enter", "ctrl+u", "1", ".", "5", "enter")
        await shows(pilot, "amount cannot be 1.5")
        assert bench.settings.draft.recipe.step[0].amount == 0.05
        assert bench.settings.rows.entry is not None
        await pilot.press("escape")
        assert bench.settings.rows.entry is None
        await pilot.press("q")
    assert app.return_code == 0


async def test_letters_typed_into_a_value_are_no_commands(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "int8")
        bench = bench_of(app)
        bench.settings.rows.point("field:0:exclude")
        await pilot.press("enter", *"qr,", "space", *"R", "enter")
        assert app.is_running
        assert app.screen is bench
        assert bench.settings.draft.recipe.step[0].exclude == ("qr", "R")


async def test_threshold_takes_the_place_of_amount_and_says_so(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "prune-5")
        bench_of(app).settings.rows.point("field:0:threshold")
        await pilot.press("enter", *"0.001", "enter")
        await shows(pilot, "amount was cleared")
        assert bench_of(app).settings.draft.recipe.step == (PruneMagnitude(threshold=1e-3),)


async def test_steps_are_added_switched_moved_and_removed(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "prune-5")
        pane = bench_of(app).settings
        await pilot.press("a", *["right"] * list(STEPS).index("quantize.int8"), "enter")
        assert [step.method for step in pane.draft.recipe.step] == ["prune.magnitude", "quantize.int8"]
        assert pane.rows.cursor == "step:1"
        await pilot.press("left_square_bracket")
        assert isinstance(pane.draft.recipe.step[0], QuantizeInt8)
        await pilot.press("space")
        assert not pane.draft.recipe.step[0].on
        assert "[off]" in screen_text(app)
        await pilot.press("x")
        assert [step.method for step in pane.draft.recipe.step] == ["prune.magnitude"]


async def test_a_recipe_saved_under_a_name_is_there_the_next_time(bare_app: EdgetuiApp, engine: Engine):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "prune-5")
        bench_of(app).settings.rows.point("field:0:scope")
        await pilot.press("right", "s")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "ask-line")
        await pilot.press("ctrl+a", "ctrl+k", *"my/own", "enter")
        await shows(pilot, "is not a valid recipe name")
        await pilot.press("ctrl+a", "ctrl+k", *"my-own", "enter")
        await shows(pilot, "saved")
        assert "my-own" in screen_text(app)
    saved = {recipe.name: recipe for recipe in engine.recipes()}
    assert saved["my-own"].step == (PruneMagnitude(scope="global", amount=0.05),)


async def test_the_model_of_the_newest_run_is_chosen_again_wherever_it_lies(
    app: EdgetuiApp, model: Path, past_run: Callable[..., str], tmp_path: Path
):
    elsewhere = tmp_path / "elsewhere" / "other.onnx"
    elsewhere.parent.mkdir()
    shutil.copy(model, elsewhere)
    past_run("done", elsewhere)
    async with app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: app.workbench.models.model == str(elsewhere))


async def test_the_newest_run_is_shown_again_with_its_past(app: EdgetuiApp, model: Path, past_run: Callable[..., str]):
    past_run(model=model)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await shows(pilot, "tiny · both", "✓ measure", "▲ faster", "0.480 [0.470, 0.490]", "run done", "clocks are floating")
        draft = bench_of(app).settings.draft
        assert draft.recipe.name == "both"
        assert draft.setup.preset == "quick"
        assert bench_of(app).models.model.endswith("tiny.onnx")


async def test_a_run_that_was_interrupted_says_in_which_stage_and_offers_to_resume(
    app: EdgetuiApp, past_run: Callable[..., str]
):
    past_run("measure")
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await shows(pilot, "crashed", "interrupted in stage measure", "ctrl+r")


async def test_a_failed_run_says_what_and_what_to_do(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run("failed")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("4")
        await shows(pilot, "✗ measure", "it was killed", "give it more memory")


async def test_the_log_pane_shows_notes_and_on_demand_what_tools_printed(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("5")
        await shows(pilot, "! clocks are floating")
        await pilot.press("o")
        await shows(pilot, "a tool said this")


async def test_what_cannot_run_is_said_and_nothing_is_started(app: EdgetuiApp, engine: Engine):
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "int8")
        await shows(pilot, "needs samples to calibrate")
        await pilot.press("r")
        await shows(pilot, "this cannot run")
        assert await engine.list() == ()


async def test_one_column_shows_the_pane_of_the_pressed_number_and_the_tab_follows_the_focus(app: EdgetuiApp):
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "[1 Models]", "tiny")
        await pilot.press("2")
        await shows(pilot, "[2 Compression]", "recipe")
        await pilot.press("tab")
        await shows(pilot, "[3 Live]")


async def test_help_is_about_what_has_the_focus_and_names_each_binding(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 60), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).settings.draft is not None)
        await pilot.press("2", "question_mark")
        await shows(pilot, "Help  Compression", "settings.flip", "Switch the step of this row on or off")
        await pilot.press("escape")
        assert app.screen is bench_of(app)


async def test_the_palette_finds_a_recipe_by_letters(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).settings.draft is not None)
        await pilot.press("ctrl+p", *"recipe weights-4")
        await shows(pilot, "Weights in 4 bits")
        await pilot.press("enter")
        await until(pilot, lambda: bench_of(app).settings.draft.recipe.name == "weights-4")
        await pilot.press("ctrl+p", *"notify.term")
        await shows(pilot, 'config notify.terminal   "always"')
        await pilot.press("enter")
        await shows(pilot, "Settings  notify.terminal", "edgetui.toml")
        await pilot.press("escape", "R")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("ctrl+p", *"setting preset")
        await shows(pilot, "setting preset   normal")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is bench_of(app) and bench_of(app).settings.rows.cursor == "run:preset")


async def test_keys_can_be_bound_anew(engine: Engine, model: Path):
    config = Config(models=engine.config.models, ui=Ui(keys={"runs": "f7"}))
    async with (app := EdgetuiApp(config, engine)).run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).models.model)
        await pilot.press("R")
        assert app.screen is bench_of(app)
        await pilot.press("f7")
        await until(pilot, lambda: app.screen is not bench_of(app))


async def test_pause_stops_the_picture_and_says_so(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).settings.draft is not None)
        await pilot.press("p")
        await shows(pilot, "paused", "p go on")


async def test_one_column_which_has_no_frames_says_that_the_picture_stands(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bench_of(app).settings.draft is not None)
        await pilot.press("3", "p")
        await shows(pilot, "paused   window 5 min")
        await pilot.press("w")
        await shows(pilot, "paused   window 30 min")
        await pilot.press("p")
        await until(pilot, lambda: "paused" not in screen_text(app))


async def test_a_run_is_started_from_the_keyboard_and_cancelled_when_the_question_is_answered(app: EdgetuiApp, engine: Engine):
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await pick_recipe(pilot, "weights-8")
        pane = bench_of(app).settings
        pane.rows.point("run:preset")
        await pilot.press("left")
        assert pane.draft.setup.preset == "quick"
        await until(pilot, lambda: bench_of(app).models.facts is not None)
        await pilot.press("r")
        await shows(pilot, "✓ inspect")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        assert (await engine.list())[0].state in ("running", "queued")
        await pilot.press("c", "y")
        await shows(pilot, "cancelled", "ctrl+r")
    assert (await engine.list())[0].state == "cancelled"


async def test_rows_to_edit_stand_still_when_the_forecast_comes(app: EdgetuiApp):
    """It said to choose a model while one was read, and took ten rows when it came."""
    told: list[tuple[str, int]] = []
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        settings = app.workbench.settings
        show = settings.show_forecast

        def watched(forecast: Forecast | None, trouble: str | EdgetuiError = "") -> None:
            show(forecast, trouble)
            told.append((settings.what.plain(), int(settings.what.styles.height.value)))

        settings.show_forecast = watched
        await until(pilot, lambda: settings._forecast[0] is not None)
        await until(pilot, lambda: told and "size " in told[-1][0])
    reading = [text for text, _ in told if "size " not in text]
    assert any("tiny.onnx is being read" in text for text in reading)
    assert not any("choose a model" in text for text in reading)
    assert len({height for _, height in told}) == 1
