"""Each row of each form says what is typed or chosen there, and has an example that can be typed."""

from __future__ import annotations

import pytest
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.schema.dataset_probe import DatasetProbe, InputTried
from edgetui.engine.schema.model_facts import ModelFacts, TensorFacts
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import Dataset, ImageInput
from edgetui.engine.schema.steps import STEPS, Recipe, plain_step
from edgetui.tui.dataset_draft import DatasetDraft
from edgetui.tui.draft import Draft, RunSetup
from edgetui.tui.fields import Field, example, fields_of, parse
from edgetui.tui.panes.dataset_rows import WRITE, listed
from edgetui.tui.panes.setting_row import Around
from edgetui.tui.panes.settings_rows import settings_rows

WORDS = ("e.g.", "such as", "← →", "Space:")
"""One of these a hint has: an example, or the key that goes through all there is."""
STRUCTS = (
    *STEPS.values(),
    Dataset,
    ImageInput,
    BackendSettings,
    *(type(getattr(BackendSettings(), name)) for name in ("tensorrt", "torch")),
)


@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt", "torch"])
@pytest.mark.parametrize("method", STEPS)
def test_every_row_of_the_settings_has_a_hint(method: str, backend: str):
    recipe = Recipe(name="r", step=(plain_step(method),))
    open_input = TensorFacts(name="image", dtype="float", shape=("batch", 3, 32, 32))
    facts = ModelFacts(name="m", inputs=(open_input,))
    draft = Draft(RunSetup(recipe=recipe, marked=(recipe,), backend=BackendSettings(name=backend)))
    rows = [row for row in settings_rows(draft, Around(facts=facts)) if row.key]
    assert {"recipe", "together", "add", "run:dataset", "run:workload", "shape:image"} <= {row.key for row in rows}
    for row in rows:
        assert any(word in row.hint() for word in WORDS), (row.key, row.hint())
        assert row.help(), row.key


@pytest.mark.parametrize("kind", ["image-folder", "text", "detection", "npz"])
def test_every_row_of_a_dataset_has_a_hint(kind: str):
    draft = DatasetDraft(Dataset(kind=kind, path="/data"))
    tried = tuple(
        InputTried(name=name, input=ImageInput(), n=9, top1=0.5, top1_low=0.4, top1_high=0.6) for name in ("one", "two")
    )
    rows = listed(draft, DatasetProbe(dataset=draft.dataset, samples=9, tried=tried), "/data", "/net.onnx", "/data.toml")
    assert len(rows) >= 8
    for row in rows:
        assert row.key == WRITE or any(word in row.help for word in WORDS), (row.key, row.help)
        assert row.help


@pytest.mark.parametrize(
    ("kind", "field"),
    [pytest.param(kind, field, id=f"{kind.__name__}.{field.name}") for kind in STRUCTS for field in fields_of(kind)],
)
def test_examples_can_be_typed(kind: type, field: Field):
    text = example(field)
    if field.kind == "text":
        return
    value = parse(field, text)
    if field.kind in ("share", "whole", "number"):
        assert field.low is None or value >= field.low
        assert field.high is None or value <= field.high
    elif field.kind == "choice":
        assert value in field.choices
    else:
        assert value is not None


def test_what_is_wrong_says_what_would_be_right():
    for kind in STRUCTS:
        for field in fields_of(kind):
            if field.kind in ("share", "whole", "number", "numbers", "sizes", "choice", "shares"):
                with pytest.raises(RecipeRefused) as refused:
                    parse(field, "§")
                assert "give " in str(refused.value)
