"""A reader of telemetry: starts the sampler when none runs, and never makes its caller wait for a sensor.

Light: no sensor is read in this process.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from ..errors import DAMAGED, Refusal, UsageError, from_os_error
from ..schema.ready import ready
from .rendezvous import SamplerLock, take_lease, tidy
from .ring import RingReader
from .sample import Sample, Stats, decode, decode_stats
from .source_choice import AUTO, check_name
from .sources.source import SourceRefused

_LOOK_S = 0.25
_LONGEST_WAIT_S = 20.0
"""A board of which forty files hang has its first sample after twelve."""
_START_AGAIN_S, _START_AGAIN_AFTER_PROBLEM_S = 1.0, 30.0


def open_telemetry(home: Path, source: str = AUTO, rate_hz: float = 2.0) -> Telemetry:
    """Read `source` at `rate_hz` or faster: readers of one source share a sampler, which runs as fast as any of them asks.

    Raises:
        UsageError: there is no such source, or the rate is not above zero.
        StorageRefused: neither shared memory nor `home` can be written.
    """
    check_name(source)
    if not 0 < rate_hz <= 2000:
        raise UsageError(f"{rate_hz:g} samples a second is not a valid rate", fix="give one above 0, at most 2000")
    try:
        return Telemetry(home, source, rate_hz)
    except OSError as error:
        raise from_os_error(error) from error


class Telemetry:
    """Samples by number, counted from 1 and never counted back, whatever becomes of the sampler."""

    def __init__(self, home: Path, source: str, rate_hz: float) -> None:
        self._home, self._asked, self.wanted_hz = home, source, rate_hz
        self._folder, self._lease = take_lease(home, source, rate_hz)
        with contextlib.suppress(OSError):
            (self._folder / "problem").unlink()  # what was wrong for an earlier reader may have been mended
        self._lock = SamplerLock(self._folder)
        self._ring: RingReader | None = None
        self._base = self._seen = 0
        self._last: Sample | None = None
        self._child: int | None = None
        self._next_look_s = self._next_start_s = 0.0
        self._closed = False
        self._look()

    @property
    def source(self) -> str:
        """The source in use; the name asked for until the sampler has said which."""
        return self.stats().source or self._asked

    def newest(self) -> Sample | None:
        """The newest sample; None before the first. How old it is, its `t_s` tells."""
        self._look()
        newest = self._newest()
        for n in range(newest, max(newest - 4, self._base), -1):  # the newest may just be overwritten at high rates
            sample = self._get(n)
            if sample is not None:
                self._last = sample
                break
        return self._last

    def newest_number(self) -> int:
        """Number of the newest sample; 0 before the first."""
        self._look()
        return self._newest()

    def since(self, n: int) -> Iterator[tuple[int, Sample]]:
        """All samples after number `n` that are still in the ring, oldest first, each with its number.

        Each is read as it is asked for: 2.5 kB a sample, of which a whole ring waits for whoever was stopped for a
        while, would stay with the process.
        """
        self._look()
        if self._ring is None:
            return
        newest = self._newest()
        first = max(n, self._base, newest - self._ring.count + 1) + 1
        for k in range(first, newest + 1):
            sample = self._get(k)
            if sample is not None:
                yield k, sample

    def stats(self) -> Stats:
        """What the sampler says about itself; all zeros before it has said anything."""
        self._look()
        for _ in range(3):
            data = self._ring.stats() if self._ring is not None else None
            if data is not None:
                with contextlib.suppress(*DAMAGED):
                    return decode_stats(data)
        return Stats()

    def problem(self) -> str | None:
        """Why there is no sampler, in words; None: there is nothing to say."""
        problem = self._problem()
        return str(problem) if problem else None

    def refusal(self, waited_s: float) -> SourceRefused | None:
        """Why no sample has come, after so many seconds of waiting; None: it is too early to say."""
        problem = self._problem()
        if problem:
            return SourceRefused(problem.what, fix=problem.fixes or "see `edgetui doctor`")
        if waited_s < _LONGEST_WAIT_S:
            return None
        return SourceRefused(f"the source {self._asked} has said nothing for {_LONGEST_WAIT_S:g} s", fix="see `edgetui doctor`")

    def _problem(self) -> Refusal | None:
        """What the sampler left: what happened, and what to do."""
        with contextlib.suppress(OSError, *DAMAGED):
            return msgspec.json.decode((self._folder / "problem").read_bytes(), type=ready(Refusal))
        return None

    def close(self) -> None:
        """Give the lease back; the sampler ends by itself when it was the last one."""
        if self._closed:
            return
        self._closed = True
        self._lease.close()
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        self._reap()
        tidy(self._folder)

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _newest(self) -> int:
        if self._ring is not None:
            self._seen = self._base + self._ring.newest
        return self._seen

    def _get(self, n: int) -> Sample | None:
        data = self._ring.get(n - self._base) if self._ring is not None else None
        with contextlib.suppress(*DAMAGED):
            return None if data is None else decode(data)
        return None

    def _look(self) -> None:
        """A few times a second: is there a ring, is it still the one, is there a sampler. Some microseconds."""
        now_s = time.monotonic()
        if self._closed or now_s < self._next_look_s:
            return
        self._next_look_s = now_s + (_LOOK_S if self._ring is not None else 0.01)
        self._reap()
        self._attach()
        if self._child is None and now_s >= self._next_start_s and not self._lock.held():  # ours may be starting still
            again_s = _START_AGAIN_AFTER_PROBLEM_S if self.problem() else _START_AGAIN_S
            self._next_start_s = now_s + again_s
            self._start()

    def _attach(self) -> None:
        path = self._folder / "ring"
        try:
            if self._ring is not None and path.stat().st_ino == self._ring.inode:
                return
            ring = RingReader(path)
        except (OSError, ValueError):
            return
        self._base = self._newest()
        if self._ring is not None:
            self._ring.close()
        self._ring = ring

    def _start(self) -> None:
        """Start a sampler. It takes the folder's lock, so one too many ends at once."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-m", "edgetui.engine.telemetry.sampler"]
        command += ["--home", str(self._home), "--source", self._asked, "--rate", f"{self.wanted_hz:g}"]
        nothing = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
        self._child = os.posix_spawn(sys.executable, command, os.environ, file_actions=nothing)

    def _reap(self) -> None:
        """No zombie stays behind while we live."""
        if self._child is not None:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self._child, os.WNOHANG)[0] == 0:
                    return
            self._child = None
