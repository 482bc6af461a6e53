"""The file of a log or a recording as lines of UTF-8: whatever it was written in, wherever its lines end."""

from __future__ import annotations

import codecs
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import DataRefused

LONGEST_LINE = 1 << 20
WHAT = "give a file from `monitor --record` or a log of tegrastats"
_PACKED = {
    b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd", b"PK\x03\x04": "unzip",
}  # fmt: skip
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE = re.compile(rb"[^\r\n]+")


def opened(path: Path) -> int:
    """A file descriptor of UTF-8 text. A pipe or a device would be waited at, or read, for ever.

    Raises:
        DataRefused: there is no such file, it cannot be read, or it is compressed.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise DataRefused(f"there is no file {path}", fix="check the path") from None
    except OSError as error:
        raise DataRefused(f"{path} cannot be read ({error.strerror})", fix="check the path and its permissions") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise DataRefused(f"{path} is not a file", fix=WHAT)
    try:
        head = os.pread(fd, 4096, 0)
    except OSError:
        return fd  # said by whoever reads on
    packer = next((packer for magic, packer in _PACKED.items() if head.startswith(magic)), None)
    if packer is not None:
        os.close(fd)
        raise DataRefused(f"{path} is compressed", fix=f"unpack it with `{packer}` and give what comes out")
    coding = _coding(head)
    return fd if coding is None else _as_utf8(path, fd, coding)


def _coding(head: bytes) -> str | None:
    """UTF-16, as PowerShell writes what a command prints; None: UTF-8."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    even, odd = head[0::2].count(0), head[1::2].count(0)
    for few, many, name in ((even, odd, "utf-16-le"), (odd, even, "utf-16-be")):
        if many > 0.45 * len(head) and few < 0.05 * len(head):
            return name
    return None


def _as_utf8(path: Path, fd: int, coding: str) -> int:
    """The same text in a file without a name."""
    try:
        with open(fd, "rb") as file, tempfile.TemporaryFile() as copy:
            for text in codecs.iterdecode(iter(lambda: file.read(1 << 20), b""), coding, errors="replace"):
                copy.write(text.encode("utf-8", "replace"))
            copy.seek(0)
            return os.dup(copy.fileno())
    except OSError as error:
        raise DataRefused(f"{path} is {coding} and cannot be converted ({error.strerror})", fix="convert it to UTF-8") from None


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, with their places; they end with LF, CR or both. One too long for any comes in pieces."""
    offset, rest = 0, b""
    while block := file.read(LONGEST_LINE):
        data = rest + block
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1 or (len(data) if len(data) >= LONGEST_LINE else 0)
        for found in _LINE.finditer(data, 0, end):
            bom = len(codecs.BOM_UTF8) if found[0].startswith(codecs.BOM_UTF8) else 0
            yield offset + found.start() + bom, found[0][bom:]
        offset, rest = offset + end, data[end:]
    if rest:
        yield offset, rest
