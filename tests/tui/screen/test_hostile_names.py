"""Names and messages that hold escape sequences, markup, or letters of odd widths: they are shown, never obeyed."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Models
from edgetui.engine.library.recipes import own_folder, write_recipe
from edgetui.engine.report.width import shortened
from edgetui.engine.schema import events as ev
from edgetui.engine.schema.result import decode, encode
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.panes.log import told_rows
from edgetui.tui.runview import Told
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.theme import AsciiFilter, DrawnFilter
from edgetui.tui.widgets.lines import wrap
from monkey import look, look_closely
from rich.cells import cell_len
from rich.segment import Segment
from screens import screen_text, shows, until
from textual.color import Color
from told_runs import RECIPE

EVIL = "\x1b[31mred\x1b]0;title\x07 [red]x[/] [link=a]y[nope]"
ODD = "日本語 e\u0301 עברית \u202etxt"


@pytest.fixture
def evil_run(own_state: Path, past_run: Callable[..., str]) -> str:
    """A finished run all of whose names are EVIL or ODD, and whose log has such lines."""
    run = past_run("done", Path("/nowhere") / f"{EVIL.replace('/', '')}{ODD}.onnx")
    folder = own_state / "runs" / run
    result = decode((folder / "result.json").read_bytes())
    named = msgspec.structs.replace(
        result,
        model=msgspec.structs.replace(result.model, name=EVIL),
        recipe=msgspec.structs.replace(result.recipe, name=ODD),
        dataset=msgspec.structs.replace(result.dataset, name=EVIL),
        warnings=(EVIL, ODD),
    )
    (folder / "result.json").write_bytes(encode(named))
    with (folder / "events.jsonl").open("ab") as file:
        for n, text in enumerate((EVIL, ODD, "two\nlines\tand a tab", "x" * 5000), 900):
            file.write(ev.encode(ev.Note(n=n, t=1.0, stage="measure", level="warning", text=text)) + b"\n")
    (folder / "log.txt").write_text(f"{EVIL}\n 10 %\r100 %\n{ODD}\n")
    return run


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_no_screen_of_a_run_obeys_its_names(bare_app: EdgetuiApp, evil_run: str, size: tuple[int, int]):
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: bare_app.link.view is not None and bare_app.link.view.result is not None)
        for keys, words in (
            (("4",), "[red]x"),
            (("5", "home"), "run began"),
            (("end",), "xxxxx"),
            (("o", "end"), "100 %"),
            (("R",), "sorted"),
            (("C",), "FP32"),
            (("i", "i"), "eights"),
        ):
            await pilot.press(*keys)
            await shows(pilot, words)
            await look_closely(bare_app, pilot)
        assert isinstance(bare_app.screen, CompareScreen)
        await pilot.press("y")
        assert EVIL in bare_app.clipboard or ODD in bare_app.clipboard


async def test_model_folders_and_the_palette_show_any_name(tmp_path: Path, own_state: Path):
    folder = tmp_path / "[red]" / "[" / "models"
    folder.mkdir(parents=True)
    names = (f"{EVIL.replace('/', '')}.onnx", f"{ODD}.onnx", "[.onnx", "two\nlines.onnx", "n" * 200 + ".onnx")
    for name in names:
        (folder / name).write_bytes(b"no model")
    config = Config(models=Models(folders=(str(folder), str(tmp_path / "[nowhere"))))
    engine = Engine(config, own_state)
    recipe = msgspec.structs.replace(RECIPE, name="[red]x[", title=f"{EVIL} {ODD}")
    write_recipe(recipe, own_folder(engine.config) / "[red]x[.toml")
    app = EdgetuiApp(config, engine)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "5 models", "ONNX file", "␛[31mred␛]0;title␇ [red]")
        await look_closely(app, pilot)
        await pilot.press("ctrl+p")
        for typed, shown in (("model", "model [\n"), ("recipe [red", "␛[31mred")):
            await pilot.press("ctrl+u", *(" " if letter == " " else letter for letter in typed))
            await until(pilot, lambda shown=shown: shown in screen_text(app).replace(" \n", "\n").replace("  ", ""))
            look(app)


async def test_messages_and_titles_are_no_markup(bare_app: EdgetuiApp, past_run: Callable[..., str], own_state: Path):
    """A path may have `[/b]` in it, and a folder may be called `[x="`: both ended the program."""
    (own_state / "runs" / past_run("done")).rename(own_state / "runs" / '[x="')
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
        bare_app.screen.notify("looked at /data/a[/b]")
        await shows(pilot, "looked at /data/a[/b]")
        await pilot.press("R", "E")
        await shows(pilot, 'Deploy  [x="')


async def test_a_name_that_is_not_utf8_is_said_and_refused(tmp_path: Path, own_state: Path):
    folder = tmp_path / "models"
    folder.mkdir()
    path = bytes(folder) + b"/bad\xff.onnx"
    Path(path.decode(errors="surrogateescape")).write_bytes(b"no model")
    config = Config(models=Models(folders=(str(folder),)))
    app = EdgetuiApp(config, Engine(config, own_state))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "bad�", "its name is not UTF-8")
        await pilot.press("r")
        await shows(pilot, "rename it, or make a link to it")
        await look_closely(app, pilot)


def test_a_path_is_broken_behind_a_slash_where_one_is_near():
    assert wrap("/runs/tiny-both/artifacts/plan.onnx", 20) == ["/runs/tiny-both/", "artifacts/plan.onnx"]
    assert wrap(f"/a/{'x' * 30}", 20) == [f"/a/{'x' * 17}", "x" * 13]


@pytest.mark.parametrize("width", [8, 11, 40])
def test_letters_of_two_columns_are_wrapped_and_cut_by_columns(width: int):
    text = "日本語のとても長いモデル名 and words"
    rows = wrap(text, width)
    assert max(map(cell_len, rows)) <= width
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    assert cell_len(shortened(text, width)) <= width
    assert all(
        cell_len("".join(part for part, _ in row)) <= 60 for row in told_rows(Told(1.0, "inspect", "info", text * 9), 60)
    )


@pytest.mark.parametrize("room", [-1, 0, 1, 2])
def test_a_name_without_room_is_a_mark(room: int):
    assert cell_len(shortened("日本語", room)) <= max(1, room)


@pytest.mark.parametrize("kind", [DrawnFilter, AsciiFilter])
@pytest.mark.parametrize("text", [EVIL, ODD, "bad\udcff\x9b", "─ ✓ plain", "57 °C  cosine ≥ 0.9  1.2 ± 0.1   ±5 %  0.8 → 0.7"])
def test_the_last_gate_keeps_the_width_of_a_row(kind: type[DrawnFilter | AsciiFilter], text: str):
    background = Color(0, 0, 0)
    row = DrawnFilter().apply([Segment(text)], background)
    row = kind().apply(row, background)
    assert sum(cell_len(segment.text) for segment in row) == cell_len(text)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for segment in row for letter in segment.text)
    assert kind is DrawnFilter or all(segment.text.isascii() for segment in row)
