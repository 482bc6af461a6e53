"""README and edgetui.toml say what is: every command, step and key is in them, and nothing that is not there."""

from __future__ import annotations

import re
from itertools import pairwise

import msgspec
from edgetui.engine.config import PACKAGE, Config, load_config
from edgetui.engine.errors import RecipeRefused
from edgetui.engine.library.recipes import parse_recipe, read_toml
from edgetui.engine.schema.settings import OnnxRuntimeSettings
from edgetui.engine.schema.steps import STEPS
from edgetui.engine.telemetry.alerts import AlertRule
from edgetui.tui.cli import cli

README = (PACKAGE / "README.md").read_text(encoding="utf-8")
BOOK = "".join(page.read_text(encoding="utf-8") for page in sorted((PACKAGE / "docs").glob("*.md")))
DEFAULTS = PACKAGE / "edgetui.toml"


def test_the_readme_has_every_command_and_no_other():
    table = README.split("## Commands")[1].split("## Keys")[0]
    told = {word for cell in re.findall(r"^\| (.+?) \|", table, re.MULTILINE) for word in re.findall(r"[`, ]([a-z]+)", cell)}
    assert told - {"edgetui", "command"} == set(cli.commands)


def test_the_book_has_every_step():
    assert set(re.findall(r"^\| `([a-z._0-9]+)` \|", BOOK, re.MULTILINE)) >= set(STEPS)


def test_the_recipe_of_the_book_can_be_read(tmp_path):
    text = re.search(r"```toml\n(title.*?)```", BOOK, re.DOTALL)
    (tmp_path / "r.toml").write_text(text.group(1))
    assert len(parse_recipe(read_toml(tmp_path / "r.toml", RecipeRefused), "r", "recipes.md").step) == 2


def test_every_key_of_the_configuration_is_there_with_a_comment():
    lines = DEFAULTS.read_text(encoding="utf-8").splitlines()
    said = msgspec.toml.decode(DEFAULTS.read_bytes())
    for table in msgspec.structs.fields(Config):
        assert table.name in said
        for key in (
            () if table.name in ("datasets", "alerts", "factories") else msgspec.structs.fields(getattr(Config(), table.name))
        ):
            assert key.name in said[table.name], f"{table.name}.{key.name}"
    assert set(said["backend"]["onnxruntime"]) == {field.name for field in msgspec.structs.fields(OnnxRuntimeSettings)}
    blocks = lines.index("[[alerts]]")  # explained once, above the first
    for key in msgspec.structs.fields(AlertRule):
        assert any(re.match(rf"#   {key.name} ", line) for line in lines[:blocks])
    for before, line in pairwise(lines[:blocks]):
        if re.match(r"[a-z_]+ = ", line):
            assert before.startswith("#"), line


def test_the_defaults_are_those_of_the_code():
    packaged = load_config()
    assert msgspec.structs.replace(packaged, models=Config().models, datasets={}) == Config()


def test_relative_paths_start_at_the_file_that_has_them(tmp_path, monkeypatch):
    file = tmp_path / "edgetui.toml"
    file.write_text('[models]\nfolders = ["nets", "~/models"]\n[datasets]\nmine = "data/x.npz"\n')
    monkeypatch.setenv("EDGETUI_CONFIG", str(file))
    config = load_config()
    assert config.models.folders == (str(tmp_path / "nets"), "~/models")
    assert config.datasets["mine"] == str(tmp_path / "data/x.npz")
    assert "digits" in config.datasets


def test_config_says_of_each_value_where_it_comes_from(tell, tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_text("[ui]\nrate_hz = 2\n")
    monkeypatch.setenv("EDGETUI_CONFIG", str(file))
    monkeypatch.setenv("COLUMNS", "300")
    said = tell("config", "ui.rate_hz")
    assert said.out.split() == ["ui.rate_hz", "2.0", f"{file}:2"]
    whole = tell("config")
    assert f"your own  {file}\n" in whole.out
    assert re.search(r'^ui\.theme +"auto" +packaged:\d+$', whole.out, re.MULTILINE)
    assert re.search(r'^alerts\[0\] +\{watch = "temperature", above = 95\.0, .*\} +packaged:\d+$', whole.out, re.MULTILINE)
    document = msgspec.json.decode(tell("config", "ui", "--json").out)
    assert document["settings"][1] == {"key": "ui.rate_hz", "value": 2.0, "file": str(file), "line": 2}
    assert tell("config", "ui.rate").err == "error: there is no setting `ui.rate`; did you mean `ui.rate_hz`?\n"
    assert tell("config", "ui.rate").code == 2
