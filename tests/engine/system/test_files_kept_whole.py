"""Files that are whole or not there, their hashes, and tracebacks that are kept for us."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from pathlib import Path

import pytest
from edgetui.engine.system.atomic_write import write_atomic
from edgetui.engine.system.defects import keep_traceback
from edgetui.engine.system.hashing import checksum, sha256_of


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    write_atomic(path, b"before")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"after")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"before", ["result.json"])
    assert path.stat().st_mode & 0o777 == 0o600


def test_hashes_are_those_of_the_whole_content(tmp_path: Path) -> None:
    first, second = os.urandom((1 << 20) + 7), os.urandom(11)
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(first)
    b.write_bytes(second)
    assert sha256_of([a, b]) == hashlib.sha256(first + second).hexdigest()
    assert checksum(a) == f"{len(first)}-{zlib.crc32(first):08x}"


def kept(home: Path) -> Path:
    try:
        raise RuntimeError("surprise")
    except RuntimeError:
        return keep_traceback(home)


def test_a_traceback_is_kept_and_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(30):
        (tmp_path / f"traceback-20200101-0000{k:02d}-1.txt").touch()
    path = kept(tmp_path)
    assert "RuntimeError: surprise" in path.read_text()
    assert len(list(tmp_path.iterdir())) == 20
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "file").touch()
    assert kept(tmp_path / "file").parent == tmp_path / "elsewhere"
