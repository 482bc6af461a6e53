"""Where each setting comes from: the lines of TOML texts as people write them, and the file that wins."""

from __future__ import annotations

import pytest
from edgetui.engine.config import PACKAGE, load_config
from edgetui.engine.errors import UsageError
from edgetui.engine.library.setting_origins import key_lines, settings

PACKAGED = str(PACKAGE / "edgetui.toml")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's file, with what it shall say."""
    file = tmp_path / "mine.toml"
    monkeypatch.setenv("EDGETUI_CONFIG", str(file))

    def write(text):
        file.write_text(text)
        return file

    return write


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a = 1\n\n# more\nb = 2", {"a": 1, "b": 4}),
        ("\r\na = 1\r\n[t]\r\nb = 2\r\n", {"a": 2, "t": 3, "t.b": 4}),
        ("ui.rate_hz = 1\n[ui.keys]\nrun = 'f5'", {"ui.rate_hz": 1, "ui.keys": 2, "ui.keys.run": 3}),
        ("a = [\n  1, # one\n  2,\n]\nb = 2", {"a": 1, "b": 5}),
        ('a = """\n[no]\nb = 1"""\nb = 2', {"a": 1, "b": 4}),
        ("t = {a = 1, b = {c = 2}}", {"t.a": 1, "t.b.c": 1}),
        ('["my set"]\n"a.b" = 1', {'"my set"': 1, '"my set"."a.b"': 2}),
        ("[[x]]\na = 1\n[[x]]\na = 2\n[y]\na = 3", {"x[0]": 1, "x[1]": 3, "y": 5, "y.a": 6}),
        ("x = [\n{a = 1}, {a = 2}]", {"x[0]": 1, "x[1]": 1}),
        ("x = []", {"x": 1}),
    ],
)
def test_a_key_has_the_line_on_which_it_begins(text, lines):
    assert key_lines(text) == lines


def test_the_users_file_wins_and_the_rest_is_packaged(own):
    file = own('[ui]\nrate_hz = 2\n[datasets]\nmine = "x.npz"\n')
    found = {one.key: one for one in settings().settings}
    assert (found["ui.rate_hz"].value, found["ui.rate_hz"].file, found["ui.rate_hz"].line) == (2.0, str(file), 2)
    assert (found["datasets.mine"].value, found["datasets.mine"].line) == (str(file.parent / "x.npz"), 4)
    packaged = found["ui.theme"]
    assert packaged.file == PACKAGED
    assert (PACKAGE / "edgetui.toml").read_text().splitlines()[packaged.line - 1] == 'theme = "auto"'


def test_names_of_keys_need_no_quotes(own):
    """To TOML the first is a table within a table."""
    own('[ui.keys]\ncompare.goal = "g"\n"move.first" = "home"\nrun = "f5"')
    assert load_config().ui.keys == {"compare.goal": "g", "move.first": "home", "run": "f5"}
    found = {one.key: (one.value, one.line) for one in settings("ui.keys").settings}
    assert found == {'ui.keys."compare.goal"': ("g", 2), 'ui.keys."move.first"': ("home", 3), "ui.keys.run": ("f5", 4)}


def test_blocks_of_ones_own_replace_all_alerts(own):
    own('[[alerts]]\nwatch = "throttling"\n\n[[alerts]]\nwatch = "power"\nabove = 30\n')
    found = settings("alerts").settings
    assert [(one.key, one.line, one.value["watch"]) for one in found] == [
        ("alerts[0]", 1, "throttling"),
        ("alerts[1]", 4, "power"),
    ]


def test_what_no_file_says_has_no_origin():
    (found,) = settings("backend.tensorrt.workspace_mb").settings
    assert (found.value, found.file, found.line) == (None, None, None)


def test_every_packaged_line_is_found():
    """All but what is commented out there, and what only the code has."""
    without = {one.key for one in settings().settings if one.file is None}
    assert without == {
        f"backend.tensorrt.{key}"
        for key in ("target", "workspace_mb", "tactic_memory_mb", "optimization_level", "sparse", "dla_core")
    }
    assert len([one for one in settings().settings if one.key.startswith("alerts[")]) == len(load_config().alerts)


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(UsageError, match=r"there is no setting `ui\.them`; did you mean `ui\.theme`"):
        settings("ui.them")
