"""Tries to build one plan, each in a process of its own and each with less memory than the one before.

It knows nothing of TensorRT: it weighs what is free, asks for builds, and hears how they went.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...errors import BackendRefused, RunFailed
from ...schema.settings import TensorRtSettings
from ...system.reporter import Reporter
from .build_messages import BuildProgress, BuildRequest, Built, LogLine, Refused, decode, encode

MIB = 1 << 20
_HEARTBEAT_S = 1.0
_GRACE_S = 0.6
"""How long SIGTERM leaves the process of a try to end by itself: a little longer than it takes (`build_process`)."""
_CUDA_MIB, _WEIGHT_COPIES = 350, 4
"""What a CUDA context with TensorRT's libraries takes, and how often a build holds the weights: estimates, said as such."""


@dataclass(frozen=True)
class Limits:
    """Limits of one try, in MiB; None: TensorRT's own."""

    workspace_mib: int | None
    tactic_memory_mib: int | None
    optimization_level: int | None

    def words(self) -> str:
        """`workspace 512 MiB, trying kernels in 1024 MiB, optimisation level 1`."""
        parts = []
        if self.workspace_mib is not None:
            parts.append(f"workspace {self.workspace_mib} MiB")
        if self.tactic_memory_mib is not None:
            parts.append(f"{self.tactic_memory_mib} MiB to try kernels in")
        if self.optimization_level is not None:
            parts.append(f"optimisation level {self.optimization_level}")
        return ", ".join(parts) or "TensorRT's own limits"

    def within(self, settings: TensorRtSettings) -> TensorRtSettings:
        """The same settings with these limits."""
        return msgspec.structs.replace(
            settings,
            workspace_mb=self.workspace_mib,
            tactic_memory_mb=self.tactic_memory_mib,
            optimization_level=self.optimization_level,
        )


def limits_to_try(settings: TensorRtSettings, free_mib: float | None) -> list[Limits]:
    """The limits to try, the widest first. What the settings say holds for the first; later ones only go below it.

    free_mib: memory that the GPU can have, in MiB; None: not known, then the first try has TensorRT's own limits.
    """
    asked = Limits(settings.workspace_mb, settings.tactic_memory_mb, settings.optimization_level)
    room = free_mib if free_mib is not None else 2048.0
    first = (
        asked
        if free_mib is None
        else Limits(
            asked.workspace_mib or _share(room, 0.5),
            asked.tactic_memory_mib or power_of_two(_share(room, 0.75)),
            asked.optimization_level,
        )
    )
    found = [first]
    for workspace, tactic, level in ((0.25, 0.5, 2), (0.1, 0.3, 1), (0.03, 0.15, 0)):
        last = found[-1]
        found.append(
            Limits(
                min(_share(room, workspace), last.workspace_mib or _share(room, workspace)),
                min(power_of_two(_share(room, tactic)), last.tactic_memory_mib or power_of_two(_share(room, tactic))),
                min(level, last.optimization_level if last.optimization_level is not None else level),
            )
        )
    return found


def _share(room_mib: float, share: float) -> int:
    return max(16, int(room_mib * share))


def power_of_two(size_mib: int) -> int:
    """The largest that is no more than `size_mib`: TensorRT-RTX takes no other memory to try kernels in."""
    return 1 << (size_mib.bit_length() - 1)


def build_with_retries(request: BuildRequest, free_mib: float | None, say: Reporter) -> tuple[Built, Limits]:
    """Try until a plan is written or the limits cannot get smaller; returns what came out and the limits it came out with.

    Raises:
        BackendRefused: TensorRT refuses the model, or needs more memory than there is.
        RunFailed: TensorRT crashed on every try.
    """
    _say_memory(Path(request.onnx), free_mib, say)
    last: Refused | None = None
    tries = limits_to_try(request.settings, free_mib)
    for number, limits in enumerate(tries, 1):
        say.note(f"try {number} of {len(tries)}: {limits.words()}")
        answer = _one_try(msgspec.structs.replace(request, settings=limits.within(request.settings)), say)
        if isinstance(answer, Built):
            if number > 1:
                say.warn(
                    f"the plan came out at try {number} with less memory ({limits.words()}); it may be slower than with more"
                )
            return answer, limits
        if not answer.again:
            raise BackendRefused(answer.what, fix=answer.fixes, node=answer.node)
        say.note(f"try {number} failed: {answer.what}")
        last = answer
    assert last is not None
    kind = RunFailed if last.crashed else BackendRefused
    raise kind(f"{last.what}, on each of {len(tries)} tries with less and less memory", fix=last.fixes)


def _say_memory(onnx: Path, free_mib: float | None, say: Reporter) -> None:
    needed_mib = _CUDA_MIB + _WEIGHT_COPIES * onnx.stat().st_size / MIB
    if free_mib is None:
        say.note(f"memory: about {needed_mib:.0f} MiB are needed; how much is free is not known")
        return
    say.note(f"memory: {free_mib:.0f} MiB free, about {needed_mib:.0f} MiB needed")
    if free_mib < needed_mib:
        say.warn(
            f"only {int(free_mib)} MiB of memory are free and the build needs about {math.ceil(needed_mib)}: "
            "close other programs or add swap (sudo fallocate -l 4G /swapfile; mkswap; swapon)"
        )


def _one_try(request: BuildRequest, say: Reporter) -> Built | Refused:
    argv = [sys.executable, "-m", "edgetui.engine.backends.tensorrt.build_process"]
    last: Built | Refused | None = None
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process, _ending_after(process):
        try:
            assert process.stdin
            process.stdin.write(encode(request))
            process.stdin.close()
            for answer in _heard(process, say):
                last = answer
        finally:
            if process.poll() is None and last is None:
                process.kill()
    return last if last is not None else _died(process.returncode)


@contextmanager
def _ending_after(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """SIGTERM ends `process` first, which may keep what it has timed, and then this one: it is killed when this one dies."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: object) -> None:
        process.terminate()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _heard(process: subprocess.Popen[bytes], say: Reporter) -> Iterator[Built | Refused]:
    """Pass on what the process says, and the time when it says nothing; yields its last word."""
    assert process.stdout
    began = time.monotonic()
    half, share, phase = b"", None, "starting TensorRT"
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            ready = selector.select(_HEARTBEAT_S)
            data = os.read(process.stdout.fileno(), 1 << 16) if ready else None
            if data == b"":
                return
            *lines, half = (half + (data or b"")).split(b"\n")
            for message in map(decode, lines):
                if isinstance(message, BuildProgress):
                    share, phase = message.done, message.text
                elif isinstance(message, LogLine):
                    (say.warn if message.warning else say.note)(message.text)
                else:
                    yield message
            elapsed_s = time.monotonic() - began
            if share is None:
                say.progress(elapsed_s, None, f"s, {phase}")
            else:
                say.progress(round(100 * share, 1), 100, f"%, {phase}, {elapsed_s:.0f} s")


def _died(code: int) -> Refused:
    """A process that ended without a last word: killed for memory, or a fault inside TensorRT."""
    if code == -signal.SIGKILL:
        return Refused.of(
            "the build was killed (out of memory?)",
            "close other programs or add swap, then try again",
            again=True,
        )
    name = signal.Signals(-code).name if code < 0 else f"code {code}"
    return Refused.of(f"TensorRT ended with {name}", "see the run's log.txt", again=True, crashed=True)
