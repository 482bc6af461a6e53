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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYNC_ASKED, SYNC_ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
KEPT = 1 << 20
"""Of the output so much is looked through for words."""


@dataclass
class Seen:
    """What a program did."""

    first_paint_s: float
    """From exec to the moment at which all wanted words had been written."""
    cpu_pct: float = 0.0
    """User and system time of the process over the counted span; one core is 100."""
    bytes_s: float = 0.0
    writes: int = 0
    rss_mb: float = 0.0


def cpu_s(pid: int) -> float:
    """User and system time of a process's threads so far; an idle screen takes two clock ticks in ten seconds."""
    spent_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # it has just ended
            spent_ns += int((task / "schedstat").read_text().split()[0])
    return spent_ns / 1e9


class Session:
    """A program on a pseudo-terminal that is asked one thing after another; killed at the end."""

    def __init__(self, argv: Sequence[str], *, columns: int = 160, rows: int = 45, env: dict[str, str] | None = None) -> None:
        self.argv = list(argv)
        self.began_s = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"} | (env or {}))
            os.execvp(self.argv[0], self.argv)  # noqa: S606
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.output = b""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def _read(self, limit_s: float) -> bytes:
        if not select.select([self.fd], [], [], max(0.0, limit_s))[0]:
            return b""
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:
            raise EOFError(f"{' '.join(self.argv)[:80]} ended: {self.output[-500:]!r}") from None
        if SYNC_ASKED in data:
            os.write(self.fd, SYNC_ANSWER)
        return data

    def until(self, *words: bytes, limit_s: float = 120.0) -> float:
        """Wait until all words have been written since the last call, in any order; returns seconds since it was started."""
        end = time.perf_counter() + limit_s
        while not all(word in self.output for word in words):
            if time.perf_counter() > end:
                raise TimeoutError(f"{words} never came; the end of what did: {self.output[-2000:]!r}")
            self.output = (self.output + self._read(0.05))[-KEPT:]
        self.output = b""
        return time.perf_counter() - self.began_s

    def drain(self, seconds: float) -> int:
        """Take what comes for so long; returns how many bytes."""
        end, total = time.perf_counter() + seconds, 0
        while (now := time.perf_counter()) < end:
            total += len(self._read(min(0.05, end - now)))
        return total

    def count(self, seconds: float) -> tuple[float, float]:
        """(percent of a core, bytes a second) over so long."""
        before, began_s = cpu_s(self.pid), time.perf_counter()
        total = self.drain(seconds)
        span_s = time.perf_counter() - began_s
        return (cpu_s(self.pid) - before) / span_s * 100, total / span_s

    @property
    def rss_mb(self) -> float:
        """What of it is in memory now, with what it shares with others."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def press(self, keys: bytes, word: bytes = b"", limit_s: float = 120.0) -> float:
        """Seconds from keys to `word`, or to the first byte that is drawn."""
        self._empty()
        began = time.perf_counter()
        os.write(self.fd, keys)
        if word:
            self.until(word, limit_s=limit_s)
        else:
            while not self._read(0.05):
                if time.perf_counter() - began > limit_s:
                    raise TimeoutError(f"nothing was drawn after {keys!r}")
        return time.perf_counter() - began

    def repainted(self, keys: bytes, quiet_s: float, limit_s: float = 3.0) -> tuple[float, float] | None:
        """Seconds from keys to the first and the last byte drawn before it is quiet for so long; None: nothing is drawn."""
        self._empty()
        began = first = last = time.perf_counter()
        os.write(self.fd, keys)
        while (now := time.perf_counter()) - began < limit_s and (last == began or now - last < quiet_s):
            if self._read(0.005 if last == began else quiet_s - (now - last)):
                last = time.perf_counter()
                first = last if first == began else first
        return None if last == began else (first - began, last - began)

    def _empty(self) -> None:
        while self._read(0.0):
            pass
        self.output = b""


def watch(
    argv: Sequence[str],
    *,
    words: Sequence[bytes] = (b"\x1b",),
    columns: int = 160,
    rows: int = 45,
    warm_s: float = 0.0,
    count_s: float = 0.0,
    keys: bytes = b"",
    settle_s: float = 1.0,
    env: dict[str, str] | None = None,
    limit_s: float = 30.0,
) -> Seen:
    """Run a program until it has painted `words`, wait `warm_s`, press `keys`, wait `settle_s`, count `count_s`, kill it."""
    with Session(argv, columns=columns, rows=rows, env=env) as session:
        seen = Seen(session.until(*words, limit_s=limit_s))
        session.drain(warm_s)
        if keys:
            os.write(session.fd, keys)
            session.drain(settle_s)
        if count_s:
            seen.cpu_pct, seen.bytes_s = session.count(count_s)
            seen.rss_mb = session.rss_mb
    return seen


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns of text, the first ones to the left, the others to the right."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    lines = [
        "  ".join(f"{cell:<{w}}" if n < left else f"{cell:>{w}}" for n, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in (head, *rows)
    ]
    return "\n".join([lines[0].rstrip(), "  ".join("-" * w for w in widths), *(line.rstrip() for line in lines[1:])])
