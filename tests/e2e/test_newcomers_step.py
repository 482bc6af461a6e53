"""A step takes three files: those of CONTRIBUTING.md, in a copy of the package that knows nothing else of it."""

from __future__ import annotations

import json

import pytest
from newcomer import Scratch

DIGITS = ("profiles/demo/digits.onnx", "--recipe", "prune-random", "--dataset", "profiles/demo/digits.toml")
SETTINGS = """
from edgetui.engine.config import Config
from edgetui.engine.library.recipes import list_recipes
from edgetui.tui.draft import RunSetup, Draft
from edgetui.tui.panes.settings_rows import settings_rows
from edgetui.tui.panes.setting_row import Around

draft = Draft(RunSetup(), list_recipes(Config()))
draft.add("prune.random")
for row in settings_rows(draft, Around()):
    if row.step is not None:
        print("".join(text for text, _ in row.line(None, here=False)).strip(), "|", row.help())
draft.put(0, "amount", 0.2)
print(draft.recipe.step[0])
"""
REASON = """
import sys
import msgspec
from edgetui.engine.advice.compare import compare
from edgetui.engine.schema.result import Result

result = msgspec.json.decode(sys.argv[1], type=Result)
slow = {**result.verdict, "latency": "no difference shown"}
print(*compare([msgspec.structs.replace(result, verdict=slow)], "fastest drop=1").advice)
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    return Scratch(tmp_path_factory.mktemp("newcomer"), "Add a step")


@pytest.fixture(scope="module")
def digits(scratch: Scratch) -> tuple[str, ...]:
    return tuple(str(scratch.package / word) if word.startswith("profiles/") else word for word in DIGITS)


def test_three_files_are_all(scratch: Scratch) -> None:
    assert scratch.files == [
        "engine/schema/steps.py",
        "engine/compress/random_weights.py",
        "profiles/recipes/prune-random.toml",
    ]


@pytest.mark.long
def test_its_recipe_is_listed(scratch: Scratch) -> None:
    assert "Zero 40 % of all weights, drawn by lot" in scratch.edgetui("recipes")


@pytest.mark.long
def test_the_settings_pane_edits_it(scratch: Scratch) -> None:
    said = scratch.python("-c", SETTINGS).splitlines()
    assert said[0].split("|")[0].split() == ["1", "prune.random", "[on]"]
    assert "Zero weights that are drawn by lot." in said[0]
    assert said[1].startswith("amount")
    assert "0.4" in said[1]
    assert said[1].endswith("Share of weights to zero, 0..1.")
    assert said[2] == "PruneRandom(on=True, amount=0.2)"


@pytest.mark.long
def test_the_forecast_says_what_it_cannot_win(scratch: Scratch, digits: tuple[str, ...]) -> None:
    said = " ".join(scratch.edgetui("run", *digits, "--dry-run").split())
    assert "scattered zeros do not make a dense plan faster; 40 % zeros change size only when compressed" in said


@pytest.mark.long
def test_a_run_reports_and_compares_it(scratch: Scratch, digits: tuple[str, ...]) -> None:
    document = scratch.edgetui("run", *digits, "--preset", "quick", "--json")
    result = json.loads(document)
    assert result["state"] == "done"
    assert [stage["name"] for stage in result["stages"]][2] == "prune.random"
    assert 0.55 < result["candidate"]["nonzero"] / result["baseline"]["nonzero"] < 0.65
    scratch.edgetui("export", result["run"], "--to", str(scratch.folder / "out"))
    report = next((scratch.folder / "out").rglob("report.md")).read_text()
    assert "Zero 40 % of all weights, drawn by lot" in report
    assert 'method = "prune.random"' in report
    assert "prune-random" in scratch.edgetui("compare", result["run"])
    assert "prune-random is not shown to be faster: its zeros are scattered" in scratch.python("-c", REASON, document)
    events = scratch.folder / "state" / "edgetui" / "runs" / result["run"] / "events.jsonl"
    assert "tensors are zero now, by lot" in events.read_text()
