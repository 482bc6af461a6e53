"""A file of fixed size with the newest samples: one writer, many readers, no locks, newest wins.

Layout, native byte order (the file never leaves the machine):

    0     magic, layout version, bytes of a slot, number of slots, number of the newest sample: 8 bytes each
    64    the statistics slot, 8 KiB
    8256  slots; sample n lies in slot n % slots

A slot is `n, length, crc32, payload`. The writer clears n, writes the rest, writes n; a reader takes a copy and believes
it only if n is what it wants and the sum, which has n in it, is right. The sum is there because Python cannot order
stores on ARM: a torn copy is then seen whatever order the stores became visible in.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import zlib
from pathlib import Path

_MAGIC = int.from_bytes(b"edgetui\x01", "little")
_VERSION, _STATS_AT, _STATS_BYTES = 1, 64, 8192
_SLOTS_AT = _STATS_AT + _STATS_BYTES
_HEAD = struct.Struct("@QII")
_WORDS = struct.Struct("@5Q")
_NEWEST_I = 4


class RingWriter:
    """Makes the file and writes to it. `payload` is the largest sample in bytes, `count` how many are kept.

    Raises:
        OSError: the folder cannot be written, or is full.
    """

    def __init__(self, path: Path, payload: int, count: int) -> None:
        self.slot = (payload + _HEAD.size + 7) // 8 * 8
        self.count = count
        self.newest = 0
        size = _SLOTS_AT + self.slot * count
        temporary = path.with_name(path.name + ".new")
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, size)  # a full tmpfs answers here, not with SIGBUS in the middle of a sample
            self._map = mmap.mmap(fd, size)
        finally:
            os.close(fd)
        self._words = memoryview(self._map)[:_STATS_AT].cast("Q")
        for at, value in enumerate((_MAGIC, _VERSION, self.slot, count, 0)):
            self._words[at] = value
        temporary.rename(path)

    def fits(self, payload: bytes) -> bool:
        """A sample of this length fits into a slot."""
        return len(payload) + _HEAD.size <= self.slot

    def push(self, payload: bytes) -> int:
        """Write the next sample over the oldest; returns its number, from 1."""
        n = self.newest + 1
        self._write(_SLOTS_AT + n % self.count * self.slot, n, payload)
        self._words[_NEWEST_I] = self.newest = n
        return n

    def put_stats(self, payload: bytes) -> None:
        """Renew the statistics; what does not fit is left as it was."""
        if len(payload) + _HEAD.size <= _STATS_BYTES:
            self._write(_STATS_AT, self.newest + 1, payload)

    def close(self) -> None:
        """Let go of the mapping; readers go on to the next ring when the file has another inode."""
        self._words.release()
        self._map.close()

    def _write(self, at: int, n: int, payload: bytes) -> None:
        struct.pack_into("@Q", self._map, at, 0)
        end = at + _HEAD.size + len(payload)
        self._map[at + _HEAD.size : end] = payload
        _HEAD.pack_into(self._map, at, n, len(payload), zlib.crc32(payload, n & 0xFFFFFFFF))


class RingReader:
    """Reads a ring that another process writes. By `pread`, not mapped: after a quarter of an hour all of its pages would be in
    the reader's memory.

    Raises:
        FileNotFoundError: no sampler has made it yet.
        ValueError: it is not a ring of this layout.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(self._fd)
            if status.st_size < _SLOTS_AT:
                raise ValueError(f"{path} is not a ring")
            self.inode = status.st_ino
            magic, version, self.slot, self.count, _ = _WORDS.unpack(os.pread(self._fd, _WORDS.size, 0))
            whole = _SLOTS_AT + self.slot * self.count == status.st_size
            if magic != _MAGIC or version != _VERSION or not whole:
                raise ValueError(f"{path} is not a ring of this version")
        except BaseException:
            self.close()
            raise

    @property
    def newest(self) -> int:
        """Number of the newest sample; 0: none yet."""
        return int.from_bytes(os.pread(self._fd, 8, _NEWEST_I * 8), sys.byteorder)

    def get(self, n: int) -> bytes | None:
        """Sample `n` as it was written; None: not there yet, overwritten, or being overwritten just now."""
        return self._read(_SLOTS_AT + n % self.count * self.slot, self.slot, n)

    def stats(self) -> bytes | None:
        """The newest statistics; None: none yet, or being renewed just now."""
        return self._read(_STATS_AT, _STATS_BYTES, None)

    def close(self) -> None:
        """Let go of the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _read(self, at: int, room: int, wanted: int | None) -> bytes | None:
        data = os.pread(self._fd, room, at)
        if len(data) < _HEAD.size:
            return None
        n, length, crc = _HEAD.unpack_from(data)
        if n == 0 or (wanted is not None and n != wanted) or length > len(data) - _HEAD.size:
            return None
        payload = data[_HEAD.size : _HEAD.size + length]
        return payload if zlib.crc32(payload, n & 0xFFFFFFFF) == crc else None
