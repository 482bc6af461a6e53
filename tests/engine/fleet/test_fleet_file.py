"""fleet.toml is refused before anything starts, each fault by name."""

from __future__ import annotations

import pytest
from edgetui.engine.errors import ConfigRefused
from edgetui.engine.fleet.fleet_file import read_fleet, wanted

TWO = '[[board]]\nname = "orin"\nhost = "a@b"\nresources = { gpu = 1 }\n[[board]]\nname = "nano"\nhost = "localhost"\n'


@pytest.fixture
def written(tmp_path, monkeypatch):
    def write(text: str) -> None:
        (tmp_path / "fleet.toml").write_text(text)
        monkeypatch.setenv("EDGETUI_FLEET", str(tmp_path / "fleet.toml"))

    return write


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no board"),
        ("[[board]]\n", "`board.name` is missing"),
        ('[[board]]\nname = "a"\n', "neither `host` nor `command`"),
        ('[[board]]\nname = "a"\nhost = "b"\ncommand = ["c"]\n', "both `host` and `command`"),
        ('[[board]]\nname = "a/b"\nhost = "b"\n', "a/b"),
        ('[[board]]\nname = "a"\nhost = "-oProxyCommand=x"\n', "is no host"),
        ('[[board]]\nname = "a"\nhots = "b"\n', "unknown key `board.hots`"),
        (TWO + '[[board]]\nname = "orin"\nhost = "c"\n', "two boards are called orin"),
        (TWO + '[[board]]\nname = "gpu"\nhost = "c"\n', "gpu is a board and a resource"),
        (TWO + '[[board]]\nname = "any"\nhost = "c"\n', "any is a board and a resource"),
        ('[[board]]\nname = "a"\ncommand = ["c"]\nscheduler = "nowhere"\n', "is no HOST:PORT"),
        ('[[board]]\nname = "a"\nhost = "b"\nenv = { "A;B" = "c" }\n', "is no name of a variable"),
    ],
)
def test_what_is_wrong_in_it_is_said(written, text, said):
    written(text)
    with pytest.raises(ConfigRefused) as refused:
        read_fleet()
    assert said in refused.value.what
    assert refused.value.fix


def test_what_a_name_may_be_is_said_of_one_that_is_none(written):
    written('[[board]]\nname = "a b"\nhost = "b"\n')
    with pytest.raises(ConfigRefused, match='name = "a b"` is not valid') as refused:
        read_fleet()
    assert refused.value.fix == "write letters, digits, `.`, `_` and `-`, a letter or digit first, 60 at most"


def test_without_one_the_error_says_what_to_write(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGETUI_FLEET", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigRefused, match="there is no") as refused:
        read_fleet()
    assert "[[board]]" in refused.value.fix


def test_boards_and_resources_are_asked_for_by_name(written):
    written(TWO)
    boards = read_fleet()
    assert wanted(boards, "nano, orin,nano") == ("nano", "orin")
    assert wanted(boards, "gpu,any") == ("gpu", "any")
    with pytest.raises(ConfigRefused, match="there is no board orni") as refused:
        wanted(boards, "orni")
    assert "did you mean `orin`?" in refused.value.fix
    with pytest.raises(ConfigRefused, match="names no board"):
        wanted(boards, " , ")
