"""Power modes through jtop's service where sudo is not allowed: a module `jtop` stands for the package, and does with nvpmodel
what its service does. (The service of jetson-stats 7.2.2 itself did the same on this board.)
"""

from __future__ import annotations

import sys

import pytest
from edgetui.engine.config import load_config
from edgetui.engine.doctor.check import examine
from edgetui.engine.schema.power_mode import PowerMode
from edgetui.engine.system import power_modes
from edgetui.engine.system.first_mode import FirstMode, put_back_all, write_note
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry import mode_ways
from laid_boards import write_files
from swept_boards import ModedBoard

JTOP = """
import subprocess, time

class JtopException(Exception): pass

class NvpModel:
    models = ["15W", "25W", "MAXN_SUPER", "7W"]
    def is_running(self): return False
    @property
    def name(self):
        return subprocess.run(["nvpmodel", "-q"], capture_output=True, text=True).stdout.split()[3]

class jtop:
    def __init__(self, interval): self._nvpmodel = NvpModel()
    def __enter__(self): return self
    def __exit__(self, *_): return False
    def ok(self):
        time.sleep(0.02)
        return True
    @property
    def nvpmodel(self): return self._nvpmodel
    @nvpmodel.setter
    def nvpmodel(self, number):
        assert isinstance(number, int)
        subprocess.run(["nvpmodel", "-m", str(number)], stdin=subprocess.DEVNULL, capture_output=True)
"""


@pytest.fixture
def board(tmp_path, monkeypatch):
    """With jtop's service and package, and a sudo that allows nothing."""
    made = ModedBoard(tmp_path / "laid")
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "jtop.py").write_text(JTOP)
    write_files(made.root, {"/run/jtop.sock": ""})
    (made.bin / "sudo").write_text("#!/bin/sh\nexit 1\n")
    (made.bin / "sudo").chmod(0o755)
    for name in ("EDGETUI_ROOT", "PATH"):
        monkeypatch.setenv(name, made.env[name])
    monkeypatch.setenv("PYTHONPATH", str(packages))
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(power_modes, "COME_S", 0.3)
    return made


def test_without_sudo_the_service_sets_modes(board):
    files, mode = Files(), board.values()[3]
    assert power_modes.why_not_set(mode) == "only root may set power modes"
    assert mode_ways.why_not_set(files, mode) == ""
    assert mode_ways.way_words(files, mode) == "jtop's service"
    assert mode_ways.set_mode(files, mode) == ""
    assert board.mode == "7W"
    assert "jtop" not in sys.modules, "its licence and version stay in a process of its own"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("asks", "needs a reboot: not set (nvpmodel says 15W)"),
        ("lies", "it did not come: core 4 is on"),
    ],
)
def test_what_the_service_says_is_read_back(board, how, said):
    board.becomes(3, how)
    assert mode_ways.set_mode(Files(), board.values()[3]) == said
    assert "rebooted" not in board.calls


def test_a_service_that_counts_modes_otherwise_is_not_asked(board):
    said = mode_ways.set_mode(Files(), PowerMode(1, "7W"))
    assert "it has no mode 1 that is called 7W, but 15W, 25W" in said
    assert board.calls == []


def test_with_sudo_the_service_is_not_asked(board):
    (board.bin / "sudo").write_text('#!/bin/sh\n[ "$2" = -l ] && exit 0\nshift\nexec "$@"\n')
    assert mode_ways.way_words(Files(), board.values()[1]) == "nvpmodel"
    assert mode_ways.set_mode(Files(), board.values()[1]) == ""
    assert board.mode == "25W"


@pytest.mark.parametrize("gone", ["socket", "package"])
def test_with_neither_it_is_said(board, gone, monkeypatch):
    if gone == "socket":
        (board.root / "run" / "jtop.sock").unlink()
    else:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert mode_ways.why_not_set(Files(), board.values()[1]) == "only root may set power modes"
    assert "sudo refused it" in mode_ways.set_mode(Files(), board.values()[1]) or board.calls == []


def test_what_a_killed_sweep_left_is_put_back_through_it(board, own_state):
    folder = board.home / "sweeps" / "one"
    folder.mkdir(parents=True)
    write_note(folder, FirstMode(first=board.values()[0], switched_to=(board.values()[3],)))
    board.set(3)
    told = list(put_back_all(Files(), board.home / "sweeps", mode_ways.set_mode))
    assert [each.why_not for each in told] == [""]
    assert board.mode == "15W"


def test_doctor_says_by_whom_modes_are_set(board):
    found = next(each for each in examine(load_config(), board.home) if each.name == "power modes")
    assert (found.state, found.text) == ("good", "`edgetui sweep` sets them through jtop's service")
