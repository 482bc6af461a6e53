"""Power modes of a laid-out board: read, set, read back; the first one comes back after a kill."""

from __future__ import annotations

import pytest
from edgetui.engine.config import load_config
from edgetui.engine.doctor.check import examine
from edgetui.engine.schema.power_mode import PowerMode
from edgetui.engine.system import power_modes
from edgetui.engine.system.first_mode import LOCK, NOTE, FirstMode, put_back, put_back_all, read_note, write_note
from edgetui.engine.system.locks import take_lock
from edgetui.engine.system.root_files import Files
from swept_boards import ModedBoard


@pytest.fixture
def board(tmp_path, monkeypatch):
    made = ModedBoard(tmp_path / "laid")
    for name in ("EDGETUI_ROOT", "PATH"):
        monkeypatch.setenv(name, made.env[name])
    return made


def test_modes_are_read_from_the_boards_own_file(board):
    files = Files()
    assert power_modes.known_modes(files) == board.values()
    assert power_modes.mode_now(files) == PowerMode(0, "15W")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_mode_that_comes_is_on(board, number):
    mode = board.values()[number]
    assert power_modes.set_mode(Files(), mode) == ""
    assert board.mode == mode.name
    assert power_modes.not_come(Files(), mode) == ""


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("asks", "needs a reboot"),
        ("lies", "it did not come: core 4 is on"),
        ("halves", "it did not come: core 4 is on"),
        ("fails", "failed to set power mode"),
    ],
)
def test_a_mode_that_does_not_come_is_told_with_its_reason(board, how, said, monkeypatch):
    monkeypatch.setattr(power_modes, "COME_S", 0.3)
    board.becomes(3, how)
    assert said in power_modes.set_mode(Files(), board.values()[3])
    assert "rebooted" not in board.calls


def test_a_limit_that_is_left_over_is_no_unlimited_mode(board):
    """MAXN has no limits of its own: that the clocks are those of another mode is told by what they could be."""
    assert "CPU_A78_0 may run at 1344 MHz" in power_modes.not_come(Files(), PowerMode(2, "15W"))


def killed(board: ModedBoard, *went: int):
    """What a killed sweep leaves: its note, and the last of the modes that it set."""
    folder = board.home / "sweeps" / "20261130-2000-sweep-killed"
    folder.mkdir(parents=True)
    modes = board.values()
    write_note(folder, FirstMode(first=modes[0], switched_to=tuple(modes[number] for number in went)))
    board.set(went[-1])
    return folder


def test_the_first_mode_is_put_back(board):
    folder = killed(board, 1, 3)
    (told,) = put_back_all(Files(), folder.parent)
    assert (told.found, told.first.name, told.why_not) == ("7W", "15W", "")
    assert board.mode == "15W"
    assert read_note(folder) is None
    assert list(put_back_all(Files(), folder.parent)) == []


def test_a_mode_that_somebody_else_has_set_stays(board):
    folder = killed(board, 1)
    board.set(3)
    (told,) = put_back_all(Files(), folder.parent)
    assert told.others
    assert board.mode == "7W"
    assert read_note(folder) is None


def test_a_first_mode_that_does_not_come_back_stays_noted(board, monkeypatch):
    monkeypatch.setattr(power_modes, "COME_S", 0.3)
    folder = killed(board, 1)
    board.becomes(0, "fails")
    told = put_back(Files(), folder)
    assert told is not None
    assert told.why_not
    assert (folder / NOTE).exists()
    board.becomes(0, "comes")
    assert put_back(Files(), folder).why_not == ""
    assert board.mode == "15W"


def test_a_sweep_that_lives_puts_its_own_mode_back(board):
    folder = killed(board, 1)
    lock = take_lock(folder / LOCK)
    assert list(put_back_all(Files(), folder.parent)) == []
    lock.release()
    assert board.mode == "25W"


def test_doctor_puts_a_left_mode_back_and_says_so(board):
    killed(board, 1)
    (told,) = [check for check in examine(load_config(), board.home) if check.name == "power mode left"]
    assert told.state == "note"
    assert "left 25W; 15W is back" in told.text
    assert board.mode == "15W"


def test_what_doctor_says_is_on_was_asked_after_the_first_mode_was_put_back(board):
    killed(board, 1)
    (now,) = [check for check in examine(load_config(), board.home) if check.name == "power mode"]
    assert now.text.startswith("15W")


def test_doctor_prints_the_line_that_lets_a_user_set_modes(board, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (board.bin / "sudo").write_text("#!/bin/sh\nexit 1\n")
    (board.bin / "sudo").chmod(0o755)
    (told,) = [check for check in examine(load_config(), board.home) if check.name == "power modes"]
    assert "only root may set power modes" in told.text
    assert f"ALL=(root) NOPASSWD: {board.bin}/nvpmodel'" in told.mend


def test_sudo_is_asked_without_a_password_and_sets_the_mode(board, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (board.bin / "sudo").write_text('#!/bin/sh\n[ "$1" = -n ] || exit 1\nshift\n[ "$1" = -l ] && exit 0\nexec "$@"\n')
    (board.bin / "sudo").chmod(0o755)
    mode = board.values()[1]
    assert power_modes.why_not_set(mode) == ""
    assert power_modes.set_mode(Files(), mode) == ""
    assert board.mode == "25W"
