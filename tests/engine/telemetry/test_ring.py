"""The ring: what a reader believes, whatever the writer is doing."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest
from edgetui.engine.telemetry.ring import RingReader, RingWriter


def test_samples_come_back_by_number_until_they_are_overwritten(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "ring", 64, 8)
    reader = RingReader(tmp_path / "ring")
    assert reader.newest == 0
    assert reader.get(1) is None
    for k in range(1, 21):
        assert writer.push(f"sample {k}".encode()) == k
    assert reader.newest == 20
    assert reader.get(20) == b"sample 20"
    assert reader.get(13) == b"sample 13"
    assert reader.get(12) is None
    assert reader.get(21) is None
    writer.close()
    assert reader.get(20) == b"sample 20"
    reader.close()


def test_a_torn_slot_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    writer = RingWriter(path, 64, 4)
    writer.push(b"A" * 40)
    reader = RingReader(path)
    data = path.read_bytes()
    at = data.index(b"A" * 40)
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, b"B", at + 17)
    os.close(fd)
    assert reader.get(1) is None
    reader.close()
    writer.close()


def test_statistics_are_renewed_beside_the_samples(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "ring", 64, 4)
    reader = RingReader(tmp_path / "ring")
    assert reader.stats() is None
    writer.put_stats(b"one")
    writer.put_stats(b"the second")
    assert reader.stats() == b"the second"
    reader.close()
    writer.close()


@pytest.mark.parametrize("content", [b"", b"x" * 20000], ids=["empty", "something else"])
def test_another_file_is_no_ring(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ring"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a ring"):
        RingReader(path)


def _write_without_pause(path: Path, seconds: float) -> None:
    writer = RingWriter(path, 600, 16)
    end = time.monotonic() + seconds
    k = 0
    while time.monotonic() < end:
        k += 1
        writer.push(str(k).encode() * (500 // len(str(k))))


def test_a_reader_beside_a_writer_that_never_pauses_sees_whole_samples_only(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    writer = multiprocessing.get_context("spawn").Process(target=_write_without_pause, args=(path, 0.8))
    writer.start()
    while not path.exists():
        assert writer.exitcode is None
        time.sleep(0.002)
    reader = RingReader(path)
    seen = 0
    while writer.is_alive():
        n = reader.newest
        data = reader.get(n)
        if data is not None and n:
            assert data == str(n).encode() * (500 // len(str(n)))
            seen += 1
    writer.join()
    reader.close()
    assert seen > 50
