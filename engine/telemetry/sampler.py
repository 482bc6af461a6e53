"""The sampler process: reads one source at a fixed rate into the ring, for as long as anybody reads.

    python -m edgetui.engine.telemetry.sampler --home DIR --source auto --rate 2

A process of its own, because a sweep over sensors can take 40 ms and the interpreter lock would carry that into the
screen or the measured loop. One for each (home, source): two of them would take each other's conversions from the sensor.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import sys
import time
from pathlib import Path

import msgspec

from ..errors import EdgetuiError, Refusal, from_os_error
from ..system.boards import detect
from ..system.log import logger, start_log
from ..system.patience import patiently, unanswered
from ..system.root_files import Files
from .rendezvous import SamplerLock, rendezvous_dir, wanted_rate
from .ring import RingWriter
from .sample import Sample, Stats, encode
from .scheduling import raise_priority, reset_priority
from .source_choice import Choice, choose
from .ticker import RateMeter, Ticker

_log = logger(__name__)
LEAST_HZ, MOST_HZ = 0.05, 2000.0
_LOOKS_HZ = 100.0
_RING_BYTES, _LEAST_SLOTS, _LEAST_PAYLOAD = 4 << 20, 1024, 1000
_MOST_REAL_TIME_SHARE = 0.4
"""A sampler that needs more of a core than this must not keep others from it."""
_LINGER_S = 1.0
"""How long a sampler without readers waits for the next one: a reader that restarts finds it warm."""


class Sampler:
    """One source, one ring. `run` returns when the last reader has gone or a signal came."""

    def __init__(self, folder: Path, choice: Choice, rate_hz: float) -> None:
        self._folder, self._choice, self._source = folder, choice, choice.source
        self._began_s = time.monotonic()
        self._rate_hz = rate_hz
        self._ticker = Ticker(self._looks_hz(rate_hz), self._began_s)
        self._rates = RateMeter()
        self._ring: RingWriter | None = None
        self._samples = self._distinct = 0
        self._readings: object = None
        self._sweep_ms: float | None = None
        self._board = detect().name
        self._scheduling = ""
        self._last_user_s = self._began_s
        self.ended = False

    def run(self) -> None:
        """Sample until nobody reads. Called again in another thread where a sensor hangs: then it goes on without that one."""
        self._scheduling = raise_priority()
        next_chores_s = self._began_s
        while not self.ended:
            pause_s = self._ticker.due_s - time.monotonic()
            if pause_s > 0:
                time.sleep(pause_s)
            now_s = time.monotonic()
            sample = self._source.read(now_s)
            if sample is not None:
                self._take(sample)
            after_s = time.monotonic()
            self._sweep_ms = _smooth(self._sweep_ms, (after_s - now_s) * 1e3)
            if after_s >= next_chores_s:
                self._chores(after_s)
                next_chores_s = after_s + 1.0
            self._ticker.done(time.monotonic())
        self._source.close()
        if self._ring is not None:
            self._ring.close()

    @property
    def spoke(self) -> bool:
        """A sample has been there."""
        return self._samples > 0

    def _take(self, sample: Sample) -> None:
        readings = sample.rails_mw or (sample.gpu_load_pct, sample.cpu_load_pct, sample.cpu_freq_mhz, sample.temps_c)
        self._samples += 1
        if readings != self._readings:
            self._distinct += 1
            self._readings = readings
        payload = encode(sample)
        if self._ring is None or not self._ring.fits(payload):
            self._renew(2 * len(payload))
        assert self._ring is not None
        self._ring.push(payload)

    def _renew(self, room: int) -> None:
        """A ring with larger slots; readers see another inode at its path and open this one."""
        old, room = self._ring, max(room, _LEAST_PAYLOAD)
        self._ring = RingWriter(self._folder / "ring", room, max(_LEAST_SLOTS, _RING_BYTES // room))
        if old is not None:
            old.close()

    def _chores(self, now_s: float) -> None:
        """Once a second: who still reads, how fast they want it, what we say about ourselves."""
        rate_hz = wanted_rate(self._folder)
        if rate_hz is not None:
            self._last_user_s = now_s
            self._set_rate(min(max(rate_hz, LEAST_HZ), MOST_HZ), now_s)
        elif now_s - self._last_user_s > _LINGER_S:
            self.ended = True
        self._rates.mark(now_s, self._samples, self._distinct)
        share = self._rates.per_second()[2]
        if self._scheduling == "real time" and share is not None and share > _MOST_REAL_TIME_SHARE:
            self._scheduling = reset_priority()
            _log.warning("%.0f %% of a core in real time is too much: %s", 100 * share, self._scheduling)
        if self._ring is not None:
            self._ring.put_stats(encode(self._stats()))

    def _set_rate(self, rate_hz: float, now_s: float) -> None:
        if rate_hz != self._rate_hz:
            _log.debug("%g Hz instead of %g", rate_hz, self._rate_hz)
            self._rate_hz = rate_hz
            self._ticker.set_rate(self._looks_hz(rate_hz), now_s)
            self._source.set_rate(rate_hz)

    def _looks_hz(self, rate_hz: float) -> float:
        """How often the source is looked at. A line that was pushed waits for the next look, and its time is off by that."""
        return max(rate_hz, _LOOKS_HZ) if self._source.pushed else rate_hz

    def _stats(self) -> Stats:
        effective, distinct, share = self._rates.per_second()
        return Stats(
            pid=os.getpid(),
            source=self._source.name,
            passed_over=self._choice.passed_over,
            notes=self._source.notes(),
            unanswered=unanswered(),
            board=self._board,
            rate_hz=self._rate_hz,
            effective_rate_hz=effective,
            distinct_rate_hz=distinct,
            samples=self._samples,
            distinct=self._distinct,
            gaps=0 if self._source.pushed else self._ticker.gaps,
            cpu_s=round(time.process_time(), 3),
            cpu_share=share,
            scheduling=self._scheduling,
            averaged_s=self._source.averaged_s,
            sweep_ms=None if self._sweep_ms is None else round(self._sweep_ms, 3),
            began_s=self._began_s,
        )


def _smooth(before: float | None, value: float) -> float:
    return value if before is None else before + (value - before) / 16


def main(arguments: list[str] | None = None) -> int:
    """Be the sampler of a folder, unless there is one. Exit status 0, or 1 with the reason in the file `problem`."""
    parser = argparse.ArgumentParser(description="Reads sensors into shared memory for as long as anybody looks.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--source", default="auto")
    parser.add_argument("--rate", type=float, default=2.0)
    asked = parser.parse_args(arguments)
    with contextlib.suppress(OSError):
        os.setsid()  # the end of the terminal that happened to start us is not ours
    start_log(asked.home)
    folder = rendezvous_dir(asked.home, asked.source)
    lock = SamplerLock(folder)
    if not _insist(lock):
        return 0
    problem = folder / "problem"
    try:
        problem.unlink(missing_ok=True)
        _sample(folder, asked.source, min(max(asked.rate, LEAST_HZ), MOST_HZ))
        return 0
    except EdgetuiError as why:
        _say(problem, why.refusal)
    except OSError as error:
        _say(problem, from_os_error(error, path=folder).refusal)
    except Exception as error:
        from ..system.defects import keep_traceback

        what = f"the sampler failed ({type(error).__name__}); details: {keep_traceback(asked.home)}"
        _say(problem, Refusal(what))
    finally:
        lock.leave()
    return 1


def _say(problem: Path, refusal: Refusal) -> None:
    """Leave the reason for the readers, if there still are any."""
    _log.warning("%s: %s", problem.parent, refusal)
    if wanted_rate(problem.parent) is not None:
        problem.write_bytes(msgspec.json.encode(refusal))


def _sample(folder: Path, source: str, rate_hz: float) -> None:
    samplers: list[Sampler] = []

    def end(*_: object) -> None:
        if not samplers:
            raise SystemExit(0)
        samplers[-1].ended = True

    def sample() -> None:
        if not samplers or not samplers[-1].spoke:  # a sensor that hung may have kept it from finding the others
            choice = choose(source, Files(), rate_hz)
            _log.info("%s at %g Hz in %s; passed over: %s", choice.source.name, rate_hz, folder, choice.passed_over)
            samplers.append(Sampler(folder, choice, rate_hz))
            gc.freeze()
        samplers[-1].run()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    raise_priority()  # this thread, which watches; the one that samples asks for itself
    patiently(sample)


def _insist(lock: SamplerLock) -> bool:
    """A reader that looks whether the lock is held holds it for an instant itself: try for half a second."""
    for _ in range(25):
        if lock.take():
            return True
        time.sleep(0.02)
    return False


if __name__ == "__main__":
    sys.exit(main())
