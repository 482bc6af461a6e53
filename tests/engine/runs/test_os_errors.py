"""Failed file operations in words: what was to be done, and what can be done about it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from edgetui.engine.errors import from_os_error
from edgetui.engine.runs.index import Index


def refused(path: Path, flags: int = os.O_RDONLY) -> OSError:
    with pytest.raises(OSError, match=r".") as told:
        os.close(os.open(path, flags, 0o600))
    return told.value


def test_a_file_that_may_not_be_read_is_not_one_that_cannot_be_written(tmp_path: Path, somebody_else: None) -> None:
    os.seteuid(0)
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    told = from_os_error(refused(tmp_path / "secret"))
    assert told.what == f"cannot read {tmp_path}/secret (Permission denied)"
    assert "XDG_STATE_HOME" not in told.fix
    told = from_os_error(refused(tmp_path / "new", os.O_WRONLY | os.O_CREAT))
    assert told.what == f"cannot write {tmp_path}/new (Permission denied)"


def test_what_lies_in_a_closed_folder_cannot_be_reached(tmp_path: Path, somebody_else: None) -> None:
    os.seteuid(0)
    (tmp_path / "closed").mkdir(mode=0o700)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    assert from_os_error(refused(tmp_path / "closed" / "x")).what.startswith(f"cannot reach {tmp_path}/closed/x")
    with pytest.raises(Exception, match="cannot reach"):
        Index(tmp_path / "closed" / "edgetui").list()


def test_a_full_disk_names_the_file_and_what_is_done_then() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(from_os_error(full, path="/data/a.csv")) == "no space left at /data/a.csv; free some space, then try again"
    told = from_os_error(full, then="`edgetui resume` the run")
    assert told.fix == "free some space, then `edgetui resume` the run"


def test_of_a_copy_the_place_is_named_that_is_full() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/me/model.onnx", None, "/media/card/model.onnx")
    assert from_os_error(full).what == "no space left at /media/card/model.onnx"


def test_only_the_state_folder_is_moved_by_its_variable() -> None:
    def fix(path: str) -> str:
        return from_os_error(OSError(errno.EROFS, os.strerror(errno.EROFS), path)).fix

    assert fix("/home/me/.local/state/edgetui/runs") == "choose a folder you may write to with XDG_STATE_HOME=DIR"
    assert fix("/media/card/a.jsonl") == "choose a folder you may write to"
