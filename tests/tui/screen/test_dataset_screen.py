"""Describing a dataset on the screen: what is found, what is proposed, fields that are edited, and the file that is taken."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.config import config_home
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.spec import Dataset, ImageInput, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.dataset_draft import DatasetDraft, DraftField, pixel_words
from edgetui.tui.screens.browse import BrowseScreen
from edgetui.tui.screens.dataset import DatasetScreen
from monkey import look_closely
from PIL import Image
from screens import same_as_snapshot, short_state, short_tmp_path, shows, until

tmp_path, own_state = short_tmp_path, short_state
IMAGES = Dataset(kind="image-folder", path="/x.zip", name="x")


def field(draft: DatasetDraft, name: str) -> DraftField:
    return next(each for each in draft.fields() if each.field.name == name)


def test_fields_are_those_of_the_kind_of_data():
    names = [each.field.name for each in DatasetDraft(IMAGES).fields()]
    assert {"mean", "std", "size", "letterbox", "classes"} <= set(names)
    assert not {"tokenizer", "decoder", "kind"} & set(names)
    texts = DatasetDraft(Dataset(kind="text", path="/x.tsv"))
    assert "tokenizer" in [each.field.name for each in texts.fields()]
    assert field(texts, "task").field.choices == ("text-classification", "none")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("mean", "0.5, .25, 0", (0.5, 0.25, 0.0)),
        ("mean", "-", ()),
        ("size", "320x240", (320, 240)),
        ("scale", "127.5", 127.5),
        ("color", "BGR", "BGR"),
        ("letterbox", "none", None),
    ],
)
def test_what_is_typed_becomes_a_value_and_is_taken_back(name: str, text: str, value: object):
    draft = DatasetDraft(IMAGES)
    draft.type_in(field(draft, "color"), "RGB")
    before = draft.dataset
    changed = draft.type_in(field(draft, name), text)
    assert getattr(draft.dataset.input, name) == value
    assert not changed or draft.undo()
    assert draft.dataset == before


@pytest.mark.parametrize(
    ("name", "text"), [("std", "0"), ("mean", "red"), ("size", "32"), ("scale", "-1"), ("task", "detection")]
)
def test_what_cannot_be_is_refused_and_nothing_changes(name: str, text: str):
    draft = DatasetDraft(IMAGES)
    with pytest.raises(RecipeRefused):
        draft.type_in(field(draft, name), text)
    assert draft.dataset == IMAGES


def test_a_switch_that_may_be_left_open_has_three_values():
    draft, seen = DatasetDraft(IMAGES), []
    for _ in range(3):
        draft.nudge(field(draft, "letterbox"), 1)
        seen.append(draft.dataset.input.letterbox)
    assert seen == [True, False, None]


def test_what_pixels_become_is_told_of_each_channel_that_differs():
    assert pixel_words(ImageInput()) == "pixels 0 to 255 become 0 to 1"
    assert pixel_words(ImageInput(mean=(0.5,), std=(0.5,))) == "pixels 0 to 255 become -1 to 1"
    assert pixel_words(ImageInput(mean=(0.0, 0.5), std=(1.0, 0.5))) == "pixels 0 to 255 become 0 to 1, -1 to 1"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Sixteen classes of grey noise, as many as the model tells apart; it was never trained."""
    draw, path = np.random.default_rng(0), tmp_path / "home" / "noise.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(16 * 4):
            picture = io.BytesIO()
            Image.fromarray(draw.integers(0, 255, (8, 8), np.uint8)).save(picture, "PNG")
            archive.writestr(f"{number % 16}/{number}.png", picture.getvalue())
    return path


async def described(pilot, path: Path) -> DatasetScreen:
    app = pilot.app
    await until(pilot, lambda: app.workbench.settings.draft is not None and app.workbench.models.model)
    await pilot.press("colon", *f"dataset {path}", "enter")
    await until(pilot, lambda: isinstance(app.screen, DatasetScreen))
    await until(pilot, lambda: not app.screen.doing and (app.screen.trouble or app.screen.found))
    return app.screen


async def test_ways_to_feed_the_model_are_tried_and_none_is_better_than_guessing(app: EdgetuiApp, pictures: Path):
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await described(pilot, pictures)
        await until(pilot, lambda: screen.found is not None and screen.found.tried)
        await shows(pilot, "None of 4 ways")
        same_as_snapshot(app, "dataset-80x24")
        await look_closely(app, pilot)
        screen.rows.point("way")
        await pilot.press("right")
        assert screen.draft.dataset.input == screen.found.tried[0].input
        await pilot.press("u")
        assert screen.draft.dataset.input.color is None
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.workbench)
        assert app.workbench.settings.draft.setup.dataset == ""


async def test_the_file_is_written_with_what_was_typed_and_becomes_the_data(app: EdgetuiApp, tmp_path: Path):
    path = tmp_path / "home" / "set.npz"
    np.savez(path, image=np.zeros((40, 1, 8, 8), np.float32), labels=np.arange(40) % 16)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        screen = await described(pilot, path)
        screen.rows.point("field:task")
        await pilot.press("left")
        assert screen.draft.dataset.task == "none"
        await until(pilot, lambda: not screen.doing and screen.found.untried)
        same_as_snapshot(app, "dataset-160x45")
        await pilot.press("w")
        await until(pilot, lambda: app.screen is app.workbench)
        written = config_home() / "datasets" / "set.toml"
        assert app.workbench.settings.draft.setup.dataset == str(written)
        assert str(written) in app.link.dataset_names()  # to choose again
        assert read_dataset(str(written), {}) == Dataset(kind="npz", path=str(path), task="none", name="set")


async def test_what_does_not_fit_the_model_is_said_and_is_not_written(app: EdgetuiApp, tmp_path: Path):
    path = tmp_path / "set.npz"
    np.savez(path, image=np.zeros((40, 1, 8, 8), np.float32), labels=np.arange(40) % 17)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen = await described(pilot, path)
        await shows(pilot, "✗ the dataset has 17 classes")
        await pilot.press("w")
        assert screen.complaint
        assert not (config_home() / "datasets").exists()


async def test_data_that_are_none_are_said_and_others_can_be_looked_for(app: EdgetuiApp, tmp_path: Path):
    (tmp_path / "zero.npz").touch()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await described(pilot, tmp_path / "zero.npz")
        await shows(pilot, "✗", "numpy.savez")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, BrowseScreen))


async def test_the_data_of_an_earlier_run_are_looked_into_by_their_name(app: EdgetuiApp, pictures: Path):
    """`D` took the name for a path, which nothing lay at."""
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        data = Dataset(kind="image-folder", path=str(pictures), name="noise")
        spec = RunSpec(model="/gone.onnx", recipe=Recipe(), dataset=data)
        app.workbench.settings.draft.change(**app.link.setup_of(spec))
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, DatasetScreen) and app.screen.found is not None)
        assert app.screen.found.dataset.path == str(pictures)
