"""Which other processes use the processor, below a laid-out root, hostile files included."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from edgetui.engine.system import others_busy, processes
from edgetui.engine.system.patience import patiently, unanswered
from edgetui.engine.system.processes import busy
from edgetui.engine.system.root_files import Files
from laid_boards import write_files
from processes import wait_until

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
OWN = SimpleNamespace(ru_utime=1.0, ru_stime=0.5)


def stat(name: str, seconds: float) -> str:
    words = ["S", "1", *["0"] * 9, str(int(seconds * TICKS_PER_S)), "0", "0", "0", "20", "0", "1", "0", "500", *["0"] * 30]
    return f"7 ({name}) {' '.join(words)}\n"


def test_the_busiest_come_first_and_what_cannot_be_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def at(**seconds: float) -> None:
        files = {f"/proc/{pid}/stat": stat(name, seconds[name]) for pid, name in enumerate(seconds, 11)}
        write_files(tmp_path, {"/proc/stat": "cpu 1 1 1 1\nbtime 1\n"} | files)

    at(idle=5.0, half=5.0, whole=5.0, little=5.0)
    write_files(
        tmp_path, {"/proc/21/stat": "21 (no", "/proc/22/stat": "", "/proc/23/stat": stat("x", 1).replace("500", "soon")}
    )
    (tmp_path / "proc/24").mkdir()
    monkeypatch.setattr(processes.time, "sleep", lambda span_s: at(idle=5.0, half=5.5, whole=6.0, little=5.05))
    assert busy(Files(str(tmp_path)), 1.0) == ("whole", "half")


def test_a_process_that_gives_no_answer_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"/proc/stat": "cpu 1 1 1 1\nbtime 1\n", "/proc/11/stat": stat("works", 5.0)})
    (tmp_path / "proc/10").mkdir()
    silent = tmp_path / "proc/10/stat"
    os.mkfifo(silent)  # whoever opens it waits for a writer
    slept_s: list[float] = []

    def sleep(span_s: float) -> None:
        slept_s.append(span_s)
        write_files(tmp_path, {"/proc/11/stat": stat("works", 5.0 + len(slept_s))})

    monkeypatch.setattr(processes, "time", SimpleNamespace(sleep=sleep))
    assert patiently(lambda: busy(Files(str(tmp_path)), 1.0)) == ("works",)
    assert str(silent) in unanswered()
    os.close(os.open(silent, os.O_WRONLY))  # lets the thread that was left behind go
    wait_until(lambda: not unanswered())


def test_a_process_of_this_machine_is_seen_at_work() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) as process:
        end_s = time.monotonic() + 30
        while not busy(Files(""), 0.2):
            assert time.monotonic() < end_s, "a process that does nothing but work was not seen"
        process.kill()


def test_what_our_own_session_does_is_not_among_the_busy(tmp_path: Path) -> None:
    names = ("ours-at-work", "other-at-work")
    for name in names:
        (tmp_path / name).symlink_to(sys.executable)
    with ExitStack() as stack:
        for name in names:
            argv = [str(tmp_path / name), "-c", "while True: pass"]
            stack.callback(stack.enter_context(subprocess.Popen(argv, start_new_session=name == "other-at-work")).kill)
        end_s = time.monotonic() + 30
        while "other-at-work" not in (found := busy(Files(""), 0.2)):
            assert time.monotonic() < end_s, "a process of another session was not seen"
        assert "ours-at-work" not in found


@pytest.mark.parametrize(
    ("cores", "ticks", "told"),
    [("0-1", 1900, "1.9 of 2 cores"), ("0-1", 40, ""), ("0-7", 900, ""), ("0-7", 1100, "1.1 of 8 cores"), ("0-63", 2000, "")],
)
def test_cores_that_others_kept_busy_are_told_where_they_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: str, ticks: int, told: str
) -> None:
    """A load of 11 on two cores was in the stamp of a run, and no warning of it."""
    now_s = 100.0
    monkeypatch.setattr(others_busy, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(others_busy, "resource", SimpleNamespace(RUSAGE_SELF=0, RUSAGE_CHILDREN=-1, getrusage=lambda _: OWN))
    line = "cpu {} 0 0 9000 0 0 0 0 0 0\n"
    write_files(tmp_path, {"/sys/devices/system/cpu/online": f"{cores}\n", "/proc/stat": line.format(5000)})
    others = others_busy.OthersBusy(Files(str(tmp_path)))
    now_s += 10.0
    write_files(tmp_path, {"/proc/stat": line.format(5000 + ticks * TICKS_PER_S // 100)})
    assert others.much() == told


def test_cores_that_nothing_tells_of_are_none(tmp_path: Path) -> None:
    others = others_busy.OthersBusy(Files(str(tmp_path)))
    assert others.cores() is None
    assert others.much() == ""
