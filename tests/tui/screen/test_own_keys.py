"""The user's own keys: what cannot be is said, and the rest stays in force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Ui
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.commands.doctor import doctor
from edgetui.tui.own_keys import wrong_keys
from screens import shows, until


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"runz": "f6"}, "[ui.keys] runz: there is no key of that name; did you mean `run`?"),
        ({"run": "nokey"}, "`nokey` is no key"),
        ({"run": "ctrl+nokey"}, "is no key"),
        ({"run": ""}, "is no key"),
        ({"run": "q"}, "[ui.keys] run: `q` is the key of quit; give quit another one as well, or this one"),
        ({"compare.goal": "g"}, "`g` is the key of move.first"),
        ({"settings.mark": "R"}, "`R` is the key of runs"),
        ({"run": "f6", "runs": "f6"}, "`f6` is the key of "),
    ],
)
def test_a_key_that_cannot_be_says_why(keys: dict[str, str], said: str):
    (wrong,) = wrong_keys(keys)
    assert said in str(wrong)


@pytest.mark.parametrize(
    "keys",
    [
        {"run": "f6"},
        {"run": "r,ctrl+t"},
        {"run": "{"},
        {"run": "%"},
        {"run": "q", "quit": "ctrl+q"},
        {"compare.goal": "g", "move.first": "home"},
        {"compare.goal": "g", "move.first": "home", "settings.mark": "t"},
    ],
)
def test_keys_that_can_be_are_taken(keys: dict[str, str]):
    assert [str(each) for each in wrong_keys(keys)] == []


async def test_the_screen_says_it_and_the_rest_stays_in_force(engine: Engine):
    app = EdgetuiApp(Config(ui=Ui(keys={"run": "q", "runs": "f6"})), engine)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await shows(pilot, "[ui.keys] run: `q` is the key of quit")
        assert app.config.ui.keys == {"runs": "f6"}
        await pilot.press("f6")
        await until(pilot, lambda: type(app.screen).__name__ == "RunsScreen")
        await pilot.press("escape", "q")
    assert app.return_code == 0


def test_doctor_says_it(own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "edgetui.toml"
    file.write_text('[ui.keys]\nrunz = "f6"\n')
    monkeypatch.setenv("EDGETUI_CONFIG", str(file))
    said = CliRunner().invoke(doctor, ["--json"])
    checks = [check for check in json.loads(said.output)["checks"] if check["name"] == "keys"]
    assert [check["text"] for check in checks] == ["[ui.keys] runz: there is no key of that name"]
