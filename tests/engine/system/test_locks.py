"""Lock files: one holder, who says who it is, and who lets go when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from edgetui.engine.system.locks import is_held, take_lock

HOLD = (
    "import sys, time; from pathlib import Path; from edgetui.engine.system.locks import wait_for_lock\n"
    "wait_for_lock(Path(sys.argv[1])).write('me'); print('held', flush=True); time.sleep(60)"
)


def test_a_lock_has_one_holder_and_is_free_when_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "device.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        assert (is_held(path), path.read_text(), take_lock(path)) == (True, "me", None)
        holder.send_signal(signal.SIGKILL)
    assert not is_held(path)
    lock = take_lock(path)
    assert lock is not None
    lock.write("a longer name than before")
    lock.write("mine")
    assert (lock.read(), path.stat().st_mode & 0o777) == ("mine", 0o600)
    assert take_lock(path) is None
    lock.release()
    assert not is_held(path)


def test_a_lock_on_a_file_that_was_removed_is_known(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = take_lock(path)
    assert lock is not None
    assert lock.is_at(path)
    path.unlink()
    assert not lock.is_at(path)
    path.touch()
    assert not lock.is_at(path)
    lock.release()


def test_a_lock_that_is_not_had_leaves_no_descriptor_open(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = take_lock(path)
    assert lock is not None
    before = len(os.listdir("/proc/self/fd"))
    assert take_lock(path, patience_s=0.05) is None
    assert len(os.listdir("/proc/self/fd")) == before
    lock.release()
