"""What somebody who has never seen the screen meets first: nothing has run, nothing is chosen, much is refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Models
from edgetui.engine.errors import Fix, RecipeRefused
from edgetui.engine.report.width import shortened
from edgetui.engine.schema.events import Queued
from edgetui.engine.schema.model_facts import ModelFacts, TensorFacts
from edgetui.engine.schema.steps import STEPS, PruneMagnitude, QuantizeInt8, Recipe
from edgetui.engine.telemetry.sample import Sample
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.draft import Draft, RunSetup
from edgetui.tui.fields import fields_of, parse
from edgetui.tui.fix_words import as_row
from edgetui.tui.panes.log import told_rows
from edgetui.tui.panes.models import facts_lines
from edgetui.tui.panes.run_rows import bar_rows, strip_lines
from edgetui.tui.panes.setting_row import Around
from edgetui.tui.panes.settings_rows import settings_rows
from edgetui.tui.runview import RunView, Told
from edgetui.tui.screens.headlines import fitting, header_line, tab_columns, tabs_line
from edgetui.tui.widgets.lines import Rows, hanging, wrap
from edgetui.tui.widgets.tones import tone
from screens import screen_text, shows, until
from textual.color import Color
from told_runs import went


@pytest.mark.parametrize(
    ("fix", "shown"),
    [
        (Fix("choose some: {}", "calibration"), "choose some: the row calibration"),
        (Fix("{} to evaluate", "dataset"), "the row data to evaluate"),
        (Fix("give it with {}", "shape", "image=1x3x?x?"), "give it with the row shape image"),
        (Fix("give {}", "shape", ("ids=1x?", "mask=1x?")), "give the row shape ids and the row shape mask"),
        (Fix("run with {}", "backend", "onnxruntime"), 'run with the row "backend: onnxruntime"'),
        (Fix("build with {}", "target", "sm_86"), "build with --target sm_86"),
        (Fix("export it again, {} or not"), "export it again, {} or not"),
    ],
)
def test_a_fix_names_the_row_of_its_setting(fix: Fix, shown: str):
    assert fix.said(as_row) == shown


def test_a_word_wider_than_the_row_is_broken_and_nothing_is_lost():
    rows = wrap("see /a/very/long/path/of/a/file now", 10)
    assert max(map(len, rows)) <= 10
    assert "".join(rows).replace(" ", "") == "see/a/very/long/path/of/a/filenow"


def test_rows_below_the_first_hang_under_the_text():
    rows = hanging(((" size  ", "dim"),), "one two three four", 16)
    assert ["".join(text for text, _ in row) for row in rows] == [" size  one two", "       three", "       four"]


@pytest.mark.parametrize("room", [8, 13, 20])
def test_a_shortened_name_fits_and_keeps_its_end(room: int):
    name = shortened("a_rather_long_model_name_number_217", room)
    assert len(name) == room
    assert name.endswith("217")
    assert shortened("short", room) == "short"


def test_a_long_note_is_read_to_its_end_in_a_narrow_log():
    text = "the model computes one sample at a time: its first axis is fixed to 1 by a Reshape"
    rows = told_rows(Told(1.5, "quantize.int8", "info", text), 56)
    words = ["".join(part for part, _ in row) for row in rows]
    assert max(map(len, words)) <= 56
    assert " ".join(row[29:].strip() for row in words) == text


def test_the_bar_keeps_its_length_whatever_the_stage_says():
    def blocks(view: RunView) -> int:
        return sum(text.count("█") + text.count("░") for row in bar_rows(view, 80) for text, _ in row)

    view = RunView("r")
    for event in went(to="measure"):
        view.take(event)
    quiet, view.progress = blocks(view), None
    assert quiet == blocks(view) > 20


def test_zero_stands_where_it_is_under_the_histogram():
    facts = ModelFacts(
        path="m.onnx",
        name="m.onnx",
        size_bytes=1,
        opset=17,
        ir_version=9,
        inputs=(TensorFacts(name="x", dtype="float"),),
        outputs=(),
        parameters=1,
        nonzero=1,
        operators={},
        histogram=(1,) * 32,
        histogram_low=-1.0,
        histogram_high=3.0,
    )
    rows = ["".join(text for text, _ in row) for row in facts_lines(facts, 40, ascii_only=False)]
    axis = next(row for row in rows if row.startswith(" -1"))
    assert axis.index("0") == 1 + round(31 / 4)
    assert len(axis) == 33


async def test_r_without_data_says_on_the_spot_what_is_missing(app: EdgetuiApp, engine: Engine):
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        app.workbench.load_recipe("int8")
        await until(pilot, lambda: app.workbench.models.facts is not None)
        await pilot.press("r")
        await shows(pilot, "this cannot run yet", "the row data", "needs samples", "o browses")
        assert "--dataset" not in screen_text(app)
        assert await engine.list() == ()


async def test_before_the_first_run_its_pane_is_one_row_and_the_rest_has_the_room(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(160, 45), notifications=True) as pilot:
        await shows(pilot, "nothing has run yet", "threads", "graph")
        assert "Log" not in screen_text(bare_app)
        await pilot.press("5")
        await shows(pilot, "what the run notes")


@pytest.mark.parametrize("size", [(80, 24), (60, 16)])
async def test_the_foot_of_the_details_can_be_read_with_keys_alone(app: EdgetuiApp, size: tuple[int, int]):
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.facts is not None)
        await pilot.press("d", "end")
        await shows(pilot, "tensorrt reads it")
        await pilot.press("escape")
        assert isinstance(app.focused, Rows)
        await pilot.press("2", "d", "end")
        await shows(pilot, "! no dataset")


async def test_typing_a_filter_highlights_a_model_that_is_in_sight(app: EdgetuiApp, model: Path):
    shutil.copy(model, model.with_name("second.onnx"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.model.endswith("second.onnx"))
        await pilot.press("slash", *"tiny")
        assert app.workbench.models.model.endswith("tiny.onnx")
        await pilot.press("enter")
        await shows(pilot, "/ tiny")
        await pilot.press("slash", *"zzz")
        await shows(pilot, "no model has `tinyzzz`")
        assert app.workbench.models.model == ""
        await pilot.press("escape")
        await shows(pilot, "second", "tiny")


async def test_a_filter_is_seen_while_it_is_typed_at_the_foot_of_a_long_list(app: EdgetuiApp, model: Path):
    for number in range(30):
        shutil.copy(model, model.with_name(f"more{number:02}.onnx"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.model)
        await pilot.press("G")
        await until(pilot, lambda: "↑" in screen_text(app))
        await pilot.press("slash")
        await until(pilot, lambda: screen_text(app).splitlines()[2].startswith(" /"))
        await pilot.press(*"more")
        await until(pilot, lambda: screen_text(app).splitlines()[2].startswith(" / more"))


async def test_what_to_do_is_in_sight_also_at_the_foot_of_a_long_list(tmp_path: Path, model: Path, own_state: Path):
    many = tmp_path / "many"
    many.mkdir()
    for n in range(40):
        shutil.copy(model, many / f"a_rather_long_model_name_number_{n}.onnx")
    config = Config(models=Models(folders=(str(many), str(tmp_path / "nowhere"))))
    async with EdgetuiApp(config, Engine(config, own_state)).run_test(size=(60, 16), notifications=True) as pilot:
        await shows(pilot, "number_0")
        await pilot.press("end")
        await shows(pilot, "make it, or press o")


def test_what_may_be_given_leaves_out_an_end_that_may_not():
    fields = {field.name: field for kind in (PruneMagnitude, QuantizeInt8) for field in fields_of(kind)}
    draft = Draft(RunSetup(recipe=Recipe(step=(PruneMagnitude(threshold=1e-3),))))
    with pytest.raises(RecipeRefused, match="a number above 0"):
        draft.type_in(0, fields["threshold"], "0")
    with pytest.raises(RecipeRefused, match="above 50 and at most 100"):
        parse(fields["percentile"], "")


def test_every_label_of_a_step_keeps_its_distance_from_the_value():
    for method, kind in STEPS.items():
        step = msgspec.convert({"method": method, **dict(kind.one_of[:1])}, kind)
        draft = Draft(RunSetup(recipe=Recipe(name="r", step=(step,))))
        for field in fields_of(kind):
            words = field.name.replace("_", " ")
            for row in settings_rows(draft, Around()):
                text = "".join(part for part, _ in row.line(None, here=False))
                if row.key == f"field:0:{field.name}":
                    assert f"{words} " in text, text


def test_a_value_that_is_too_long_shows_its_end_and_both_arrows():
    draft = Draft(RunSetup(recipe=Recipe(name="r"), dataset="/a/folder/with/a/name/that/is/long/digits.toml"))
    row = next(row for row in settings_rows(draft, Around()) if row.key == "run:dataset")
    text = "".join(part for part, _ in row.line(None, here=True, room=50))
    assert "‹ /a/folder" in text
    assert "digits.toml ›" in text


def test_a_run_that_waits_says_for_what_in_strip_and_tabs():
    view = RunView("r")
    for event in went(to="measure")[:1]:
        view.take(event)
    view.take(Queued(n=9, t=0.1, waiting_for="20261120-2315-other"))
    shown = "\n".join("".join(text for text, _ in row) for row in strip_lines(view, 60))
    assert "queued" in shown
    assert "other" in shown
    assert "░" not in shown
    assert "".join(text for text, _ in tabs_line(view, "models")).endswith("5 Log   · queued")


def test_tabs_stand_still_while_a_run_goes():
    """`5 Log` moved with each stage, and when its share of done came: a click hit another tab."""
    view = RunView("r")
    columns, said = [tab_columns(tabs_line(None, "models"))], set()
    for event in went(to="measure"):
        view.take(event)
        line = tabs_line(view, "models")
        columns.append(tab_columns(line))
        said.add("".join(text for text, _ in line[len(columns[0]) :]).strip())
    assert columns == [columns[0]] * len(columns)
    assert any(text.startswith("▶ measure") for text in said)


def luminance(colour: Color) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [part / 255 for part in colour.rgb]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["edgetui-dark", "edgetui-light"])
async def test_every_tone_stands_out_from_the_background(bare_app: EdgetuiApp, theme: str):
    async with bare_app.run_test(size=(80, 24)) as pilot:
        bare_app.theme = theme
        await pilot.pause()
        ground = luminance(Color.parse(bare_app.theme_variables["background"]))
        for name in ("dim", "value", "accent", "good", "bad", "warn"):
            ink = luminance(Color.from_rich_color(tone(bare_app, name).color))
            assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) >= 4.5, name


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_in_16_colours_focus_and_better_differ(bare_app: EdgetuiApp, theme: str):
    async with bare_app.run_test(size=(80, 24)) as pilot:
        bare_app.theme = theme
        await pilot.pause()
        inks = [tone(bare_app, name).color for name in ("accent", "good", "bad", "warn")]
        assert len(set(inks)) == 4


@pytest.mark.parametrize(
    ("room", "wanted"),
    [(40, "Orin Nano · R36.4.3 · 25W"), (20, "Orin Nano · R36.4.3"), (12, "Orin Nano"), (7, "Orin"), (4, "Orin"), (3, "Ori")],
)
def test_the_header_leaves_out_what_has_no_room_and_cuts_no_word(room: int, wanted: str):
    assert fitting("Orin Nano · R36.4.3 · 25W", room) == wanted


@pytest.mark.parametrize(
    ("room", "wanted"),
    [
        (46, "net.onnx · computer without an NVIDIA GPU"),
        (40, "net.onnx · computer"),
        (18, "net.onnx"),
    ],
)
def test_what_a_board_lacks_is_not_cut_in_its_middle(room: int, wanted: str):
    assert fitting("net.onnx · computer without an NVIDIA GPU", room) == wanted


@pytest.mark.parametrize(
    ("width", "shown", "hidden"),
    [
        (120, ("computer without an NVIDIA GPU · 4 cores ", "RAM 3.1/7.4 GB", "disk 75 GB free"), ()),
        (80, ("computer without an NVIDIA GPU ", "RAM 3.1/7.4 GB"), ("disk",)),
        (60, ("computer without an NVIDIA GPU ",), ("RAM", "disk")),
        (40, ("computer  ",), ("with", "RAM")),
    ],
)
def test_the_boards_name_comes_before_disk_and_memory(width: int, shown: tuple[str, ...], hidden: tuple[str, ...]):
    now = Sample(t_s=0.0, ram_used_mb=3174, ram_total_mb=7577)
    row = "".join(text for text, _ in header_line("computer without an NVIDIA GPU · 4 cores", "disk 75 GB free", width, now))
    assert len(row) == width
    assert re.search(r" \d\d:\d\d $", row)
    assert all(words in row for words in shown), row
    assert not any(words in row for words in hidden), row


async def test_the_name_that_is_offered_is_replaced_by_the_one_that_is_typed(bare_app: EdgetuiApp, engine: Engine):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        await pilot.press("s")
        await until(pilot, lambda: bare_app.focused is not None and bare_app.focused.id == "ask-line")
        await pilot.press(*"mine", "enter")
        await shows(pilot, "saved")
    assert "mine" in [recipe.name for recipe in engine.recipes()]
