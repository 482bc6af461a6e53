"""`doctor` on machines that are laid out in a folder: what is missing there, and the command that mends it."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sqlite3
import subprocess
import threading

import pytest
from edgetui.engine.config import Config
from edgetui.engine.doctor.check import examine
from edgetui.engine.runs.index import Index

MEMINFO = "MemTotal:        8000000 kB\nMemFree:  100 kB\nMemAvailable:    {free} kB\nSwapTotal:       {swap} kB\n"


@pytest.fixture
def board(tmp_path, monkeypatch):
    """Lay a file out below EDGETUI_ROOT."""
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path / "root"))

    def lay(path: str, text: str) -> None:
        file = tmp_path / "root" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    lay("proc/meminfo", MEMINFO.format(free=6_000_000, swap=0))
    lay("proc/cpuinfo", "processor\t: 0\nmodel name\t: Old CPU\nflags\t\t: fpu avx2\n")
    lay("etc/os-release", 'ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 22.04"\n')
    lay("run/systemd/system/x", "")
    return lay


def found(home, name, config=None):
    return next(check for check in examine(config or Config(), home) if check.name == name)


def test_a_processor_without_dot_products_is_noted(board, tmp_path):
    assert found(tmp_path, "processor").state == "note"
    board("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd asimddp\n")
    check = found(tmp_path, "processor")
    assert check.state == "good"
    assert "dot product" in check.text


def test_little_memory_says_how_to_add_swap(board, tmp_path):
    assert found(tmp_path, "memory").state == "good"
    board("proc/meminfo", MEMINFO.format(free=300_000, swap=0))
    check = found(tmp_path, "memory")
    assert check.state == "note"
    assert "swapon" in check.mend


def test_logout_that_ends_runs_is_bad_and_mended(board, tmp_path, monkeypatch):
    monkeypatch.setenv("LOGNAME", "engineer")
    assert found(tmp_path, "logout").state == "good"
    board("etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=no\n")
    assert found(tmp_path, "logout").state == "good"
    board("etc/systemd/logind.conf.d/50-site.conf", "[Login]\nKillUserProcesses=yes\n")
    check = found(tmp_path, "logout")
    assert check.state == "bad"
    assert "systemd-run --user" in check.mend
    monkeypatch.setenv("LOGNAME", "root")
    assert found(tmp_path, "logout").state == "good"


def test_another_distribution_has_another_default(board, tmp_path):
    board("etc/os-release", "ID=arch\n")
    assert "yes is its default" in found(tmp_path, "logout").text


def test_an_index_that_is_damaged_is_rebuilt(board, tmp_path):
    assert "none yet" in found(tmp_path, "index").text
    (tmp_path / "index.db").write_bytes(b"no database at all" * 100)
    check = found(tmp_path, "index")
    assert check.state == "note"
    assert check.mend == "edgetui runs --rebuild"
    (tmp_path / "index.db").write_bytes(b"")  # a database, and nothing in it
    assert "no table of runs" in found(tmp_path, "index").text
    assert found(tmp_path, "index").mend == "edgetui runs --rebuild"
    with sqlite3.connect(tmp_path / "index.db") as db:
        db.execute("create table runs (run text)")
    db.close()
    assert found(tmp_path, "index").text == "0 runs"


def test_the_document_says_whether_all_is_well(tell):
    said = tell("doctor", "--json")
    document = json.loads(said.out)
    assert document["healthy"] == (said.code == 0)
    assert {"Python", "backend", "telemetry", "memory", "state folder", "logout"} <= {
        check["name"] for check in document["checks"]
    }
    assert "Python" in tell("doctor").out


def test_a_full_disk_is_no_good_state_folder(board, tiny_disk):
    home = tiny_disk / "edgetui"
    home.mkdir()
    with contextlib.suppress(OSError), (tiny_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    folder, disk = found(home, "state folder"), found(home, "disk")
    assert (folder.state, disk.state) == ("bad", "bad")
    assert folder.text == f"{home} cannot be written to: its disk is full"
    assert disk.text.startswith("0 kB free")
    assert "chown" not in folder.mend


def test_a_read_only_state_folder_says_so_and_its_index_is_whole(board, tiny_disk):
    home = tiny_disk / "edgetui"
    home.mkdir()
    Index(home).rebuild()
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    folder = found(home, "state folder")
    assert folder.state == "bad"
    assert folder.text == f"{home} cannot be written to: its disk is mounted read-only"
    assert (found(home, "index").state, found(home, "index").text) == ("good", "0 runs")
    assert "chown" not in folder.mend


def test_a_state_folder_of_somebody_else_is_told_with_the_rest(board, tmp_path, somebody_else):
    os.seteuid(0)
    home = tmp_path / "edgetui"
    home.mkdir(mode=0o700)
    Index(home).rebuild()
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o055)
    os.seteuid(65534)
    folder = found(home, "state folder")
    assert folder.state == "bad"
    assert "belongs to root" in folder.text
    assert folder.mend.endswith(f"(or: sudo chown -R {getpass.getuser()} {home})")
    assert found(home, "index").text == "cannot be looked at (Permission denied)"
    assert found(home, "disk").state in ("good", "note")


def test_parts_of_the_state_folder_that_root_made_are_named(board, tmp_path, somebody_else):
    os.seteuid(0)
    home = tmp_path / "edgetui"
    home.mkdir()
    home.chmod(0o777)
    (home / "runs").mkdir(mode=0o700)
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o055)
    os.seteuid(65534)
    folder = found(home, "state folder")
    assert (folder.state, folder.text) == ("bad", f"{home}: runs cannot be written to")
    assert folder.mend == f"sudo chown -R {getpass.getuser()} {home}"


def test_a_folder_above_is_never_taken_over(board, tmp_path, somebody_else):
    os.seteuid(0)
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o055)
    os.seteuid(65534)
    home = tmp_path / "new" / "edgetui"
    mend = found(home, "state folder").mend
    assert mend.endswith(f"(or: sudo mkdir -p {home} && sudo chown -R {getpass.getuser()} {home})")
    os.seteuid(0)
    tmp_path.chmod(0o700)
    os.seteuid(65534)
    assert "sudo" not in found(home, "state folder").mend


def test_ones_own_folder_is_opened_not_taken_over(board, tmp_path, somebody_else):
    os.seteuid(0)
    home = tmp_path / "edgetui"
    home.mkdir()
    (home / "runs").mkdir(mode=0o500)
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o055)
    for path in (home, home / "runs"):
        os.chown(path, 65534, -1)
    os.seteuid(65534)
    assert found(home, "state folder").mend == f"chmod -R u+rwX {home}"
    home.chmod(0o500)
    folder = found(home, "state folder")
    assert folder.text == f"{home} cannot be written to: {home} is yours, and its mode forbids it"
    assert folder.mend == f"chmod u+rwx {home}"


@pytest.mark.parametrize("below", ["", "edgetui", "a/b/edgetui"])
def test_what_is_no_folder_is_named_wherever_it_stands(board, tmp_path, below):
    (tmp_path / "file").write_text("x")
    folder = found(tmp_path / "file" / below, "state folder")
    assert (folder.state, folder.text) == ("bad", f"{tmp_path}/file is not a folder")
    assert folder.mend.startswith("export XDG_STATE_HOME" if below else "mv ")


def test_a_root_that_is_nowhere_is_bad_and_the_rest_is_told(board, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path / "nowhere"))
    assert found(tmp_path, "system files").state == "bad"
    assert found(tmp_path, "disk").state in ("good", "note")


def test_a_look_that_gets_no_answer_holds_up_no_other(board, tmp_path, monkeypatch):
    """A disk of the network that is gone holds whoever asks it."""
    gate = threading.Event()
    monkeypatch.setattr(os, "statvfs", lambda path: gate.wait())
    monkeypatch.setattr("edgetui.engine.doctor.check._LONGEST_S", 0.3)
    checks = {check.name: check for check in examine(Config(), tmp_path)}
    gate.set()
    assert checks["disk"].text == "no answer within 0.3 s"
    assert {"index", "configuration", "logout"} <= set(checks)
