"""A program on a pseudo-terminal of a given size that is drained and counted: what it writes, what it costs, when it paints."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

SYNC_ASKED, SYNC_ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Seen:
    """What a program did."""

    first_paint_s: float | None = None
    """From exec to the moment at which all wanted words had been written; None: never."""
    cpu_pct: float = 0.0
    """User and system time of the process over the counted span; one core is 100."""
    bytes_s: float = 0.0
    writes: int = 0
    rss_mb: float = 0.0
    output: bytes = b""
    marks: dict[str, float] = field(default_factory=dict)


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def watch(
    argv: Sequence[str],
    *,
    words: Sequence[bytes] = (),
    columns: int = 160,
    rows: int = 45,
    warm_s: float = 0.0,
    count_s: float = 0.0,
    keys: bytes = b"",
    env: dict[str, str] | None = None,
    limit_s: float = 30.0,
) -> Seen:
    """Run a program until it has painted `words`, wait `warm_s`, press `keys`, count for `count_s`, kill it."""
    began = time.perf_counter()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"} | (env or {}))
        os.execvp(argv[0], list(argv))  # noqa: S606
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen = Seen()

    def read_until(end: float, words: Sequence[bytes] = ()) -> int:
        total = 0
        while (now := time.perf_counter()) < end:
            if not select.select([fd], [], [], min(0.05, end - now))[0]:
                continue
            try:
                data = os.read(fd, 1 << 16)
            except OSError:
                break
            if SYNC_ASKED in data:
                os.write(fd, SYNC_ANSWER)
            seen.output += data
            total += len(data)
            seen.writes += 1
            if words and all(word in seen.output for word in words):
                seen.first_paint_s = time.perf_counter() - began
                break
        return total

    try:
        read_until(began + limit_s, words or (b"\x1b",))
        read_until(time.perf_counter() + warm_s)
        if keys:
            os.write(fd, keys)
            read_until(time.perf_counter() + 1.0)
        if count_s:
            seen.writes, cpu0, start = 0, cpu_s(pid), time.perf_counter()
            count = read_until(start + count_s)
            span = time.perf_counter() - start
            seen.bytes_s, seen.cpu_pct = count / span, (cpu_s(pid) - cpu0) / span * 100
            status = Path(f"/proc/{pid}/statm").read_text().split()
            seen.rss_mb = int(status[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
    return seen


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first to the left, the others to the right."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    lines = [
        "  ".join(f"{cell:<{w}}" if n == 0 else f"{cell:>{w}}" for n, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in (head, *rows)
    ]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


class Session:
    """A program on a pseudo-terminal that is asked one thing after another; killed at the end."""

    def __init__(self, argv: Sequence[str], *, columns: int = 160, rows: int = 45, env: dict[str, str] | None = None) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"} | (env or {}))
            os.execvp(argv[0], list(argv))  # noqa: S606
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.output = b""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def _read(self, limit_s: float) -> bytes:
        if not select.select([self.fd], [], [], limit_s)[0]:
            return b""
        data = os.read(self.fd, 1 << 16)
        if SYNC_ASKED in data:
            os.write(self.fd, SYNC_ANSWER)
        return data

    def until(self, *words: bytes, limit_s: float = 120.0) -> None:
        """Wait until all words have been written since the last call, in any order."""
        end = time.perf_counter() + limit_s
        while not all(word in self.output for word in words):
            if time.perf_counter() > end:
                raise TimeoutError(f"{words} never came; the end of what did: {self.output[-2000:]!r}")
            self.output += self._read(0.05)
        self.output = b""

    def press(self, keys: bytes, word: bytes = b"", limit_s: float = 120.0) -> float:
        """Seconds from keys to `word`, or to the first byte that is drawn."""
        while self._read(0.0):
            pass
        self.output = b""
        began = time.perf_counter()
        os.write(self.fd, keys)
        if word:
            self.until(word, limit_s=limit_s)
        else:
            while not self._read(0.05):
                if time.perf_counter() - began > limit_s:
                    raise TimeoutError(f"nothing was drawn after {keys!r}")
        return time.perf_counter() - began
