"""A log in which tegrastats has written, among others: its lines, and when each was made."""

from __future__ import annotations

import codecs
import os
import re
import stat
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import DataRefused
from .clock import Clock
from .sample import Sample
from .sources.tegrastats import sample_of
from .stamps import OWN, OWN_DAY_FIRST, Stamp, stamps_in
from .tegrastats import memory_at, parse
from .undress import bare

LONGEST_LINE = 1 << 20
WHAT = "give a file from `monitor --record` or a log of tegrastats"
_USUAL_S = 1.0
"""tegrastats' own interval, if it is asked for none."""
_INTERVAL = re.compile(r"interval(?:_ms)?[^0-9A-Za-z]{1,3}([0-9]{1,7}(?:\.[0-9]{1,6})?)(?: ?(ms|s)\b)?")
_MEMORY = re.compile(r"RAM [0-9]+/[0-9]+MB")
_PACKED = {
    b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd", b"PK\x03\x04": "unzip",
}  # fmt: skip
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


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
        raise DataRefused(f"{path} is no file", fix=WHAT)
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


_LINE = re.compile(rb"[^\r\n]+")


class Log:
    """When each line of a log was made, and what can be said of that."""

    def __init__(self, lines: Iterator[tuple[int, bytes]]) -> None:
        self.offsets, self.times_s = array("Q"), array("d")
        clock, beats = Clock(), bytearray()
        usual_s, told = _USUAL_S, ""
        whole = False
        for offset, line in lines:
            text = bare(line.decode("utf-8", "replace"))
            if text and not line.startswith(b"#"):
                stamps = stamps_in(_around(text))
                memory = _MEMORY.search(text) is not None
                says = memory or not parse(text).empty
                whole = whole or memory
                # what stands behind a line that was broken in two belongs to it; so does a line that lost its beginning
                beats.append(says and (memory or bool(stamps) or not whole))
                if beats[-1]:
                    clock.add(stamps)
                self.offsets.append(offset)
            else:
                says = False
            if not says and (found := _INTERVAL.search(text)):
                usual_s, told = float(found[1]) * (1.0 if found[2] == "s" else 0.001), found[0]
        times = clock.times(usual_s or _USUAL_S)
        self.kind = times.kind
        beat = iter(times.times_s)
        now_s = 0.0
        for counts in beats:
            now_s = next(beat) if counts else now_s
            self.times_s.append(now_s)
        self.lines = len(clock)
        """Lines of tegrastats."""
        self.assumed = ""
        """What is taken for the time between its lines where they tell none."""
        if self.lines > 1 and not self.kind:
            why = f"as it says `{told}`" if told else "which is what tegrastats does unless told otherwise"
            self.assumed = f"its lines have no time: they are taken to be {usual_s or _USUAL_S:g} s apart, {why}"
        self.notes = list(self._notes(times.sets, times.crowded))

    def _notes(self, sets: int, crowded: int) -> Iterator[str]:
        if sets:
            yield f"the clock was set {_times(sets)} meanwhile: one usual interval is taken there"
        if crowded:
            yield f"{crowded} lines have the time of the line before: they are spread evenly"

    def sample(self, text: str, t_s: float) -> Sample:
        """The telemetry document of one line."""
        stamps = {stamp.kind: stamp for stamp in stamps_in(_around(bare(text)))}
        kinds = [self.kind, OWN_DAY_FIRST if self.kind == OWN_DAY_FIRST else OWN]
        chosen: list[Stamp] = [stamps[kind] for kind in reversed(kinds) if kind in stamps] or list(stamps.values())
        wall = next((stamp.wall for stamp in chosen if stamp.wall), "")
        return sample_of(parse(text), t_s, wall, "tegrastats", None)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _around(text: str) -> str:
    """What stands before a line of tegrastats; all of a line whose time may stand behind it, as in docker's JSON."""
    at = memory_at(text)
    return text if at < 0 or " time : " in text else text[:at]
