"""Whatever a table holds: a refusal names the key that is wrong, and says only what the type takes."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.config import Config
from edgetui.engine.errors import ConfigRefused
from edgetui.engine.schema.converted import converted
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import STEPS, Recipe
from edgetui.engine.schema.validation import explain
from edgetui.engine.telemetry.alerts import DEFAULT_RULES
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

DATASET = Dataset(kind="npz", path="x.npz")
STEP_TABLES = [kind(**dict(kind.one_of[:1])) for kind in STEPS.values()]
VALUES: list[Struct] = [
    Config(datasets={"digits": "x.npz"}, alerts=DEFAULT_RULES),
    Recipe(title="x", least_cosine=0.9),
    RunSpec(model="m.onnx", recipe=Recipe(), dataset=DATASET, shapes={"x": (1, 3)}),
    DATASET,
    *STEP_TABLES,
]
"""One of every struct that people write as TOML, those inside them included."""

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**12),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text("ab", max_size=2), st.integers(), max_size=2),
)


def places(table: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key of a table and of the tables inside it."""
    if not isinstance(table, dict):
        return []
    return [place for key, value in table.items() for place in ((*path, key), *places(value, (*path, key)))]


def at(table: dict[str, object], place: tuple[str, ...]) -> dict[str, object]:
    """The table that holds the last key of a place."""
    for key in place[:-1]:
        table = table[key]  # type: ignore[assignment]
    return table


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@given(data=st.data())
def test_a_value_that_cannot_be_is_named_with_its_key_and_what_can(value: Struct, data: st.DataObject):
    table = msgspec.to_builtins(value)
    place = data.draw(st.sampled_from(places(table)))
    at(table, place)[place[-1]] = data.draw(junk)
    try:
        msgspec.convert(table, type(value))
    except msgspec.ValidationError as error:
        why = explain(table, type(value), error)
        path = ".".join(place)
        if why.problem == "rule":
            assert path.startswith(why.path)
        else:  # an item of what was written, or a key that it lacks, has a longer name
            assert why.path.startswith(path)
            assert why.path in why.what
        assert why.what
        assert why.fix
        assert "Expected" not in why.what + why.fix
        assert "$" not in why.fix


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@given(data=st.data())
def test_an_unknown_key_is_named_with_the_nearest_known(value: Struct, data: st.DataObject):
    table = msgspec.to_builtins(value)
    place = data.draw(st.sampled_from([(key,) for key in table]))
    wrong = f"{place[-1]}x"
    at(table, place)[wrong] = 1
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(table, type(value))
    why = explain(table, type(value), caught.value)
    assert (why.problem, why.path) == ("unknown", wrong)
    assert f"did you mean `{place[-1]}`?" in why.fix


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ui = 3", "c.toml: `ui = 3` is not valid; write a table"),
        ("[ui]\nrate_hz = 11", "c.toml: `ui.rate_hz = 11` is not valid; write a number above 0 and at most 10"),
        (
            "[ui]\ngraph = 'Ascii'",
            'c.toml: `ui.graph = "Ascii"` is not valid; write `ascii`: it is one of ascii, auto, block, braille',
        ),
        ("[ui]\nmouse = 'no'", 'c.toml: `ui.mouse = "no"` is not valid; write true or false'),
        ("[datasets]\nfaces = 3", "c.toml: `datasets.faces = 3` is not valid; write text in quotes"),
        ("[models]\nfolders = 'x'", 'c.toml: `models.folders = "x"` is not valid; write a list, in brackets'),
        (
            "[models]\nfolders = ['x', 3]",
            "c.toml: `models.folders = ['x', 3]` is not valid; write a list, in brackets, each of it text in quotes",
        ),
        ("[backend.torch]\nthread = 3", "c.toml: unknown key `backend.torch.thread`; did you mean `threads`?"),
        ("[[alerts]]\nwhat = 'x'", "c.toml: "),
    ],
)
def test_a_setting_that_cannot_be(text: str, said: str):
    with pytest.raises(ConfigRefused) as refused:
        converted(msgspec.toml.decode(text), Config, "c.toml", ConfigRefused)
    assert str(refused.value).startswith(said)
    assert "alerts" in str(refused.value) or str(refused.value) == said
