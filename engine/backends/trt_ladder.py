"""Tries to build one plan, each in a process of its own and each with less memory than the one before.

Apart because it knows nothing of TensorRT: it weighs what is free, gives orders, and hears how they went.
"""

from __future__ import annotations

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

from ..errors import ON_THE_CPU, BackendRefused, RunFailed
from ..say import Say
from ..spec import TensorRtSettings
from .trt_order import Built, Line, Order, Refused, Share, decode, encode

MIB = 1 << 20
_HEARTBEAT_S = 1.0
_GRACE_S = 0.6
"""How long SIGTERM leaves the process of a try to end by itself: a little longer than it takes (`trt_worker`)."""
_CUDA_MB, _WEIGHT_COPIES = 350, 4
"""What a CUDA context with TensorRT's libraries takes, and how often a build holds the weights: estimates, said as such."""


@dataclass(frozen=True)
class Rung:
    """Limits of one try, in MiB; None: TensorRT's own."""

    workspace_mb: int | None
    tactic_memory_mb: int | None
    optimization_level: int | None

    def words(self) -> str:
        """`workspace 512 MB, trying kernels in 1024 MB, optimisation level 1`."""
        parts = []
        if self.workspace_mb is not None:
            parts.append(f"workspace {self.workspace_mb} MB")
        if self.tactic_memory_mb is not None:
            parts.append(f"{self.tactic_memory_mb} MB to try kernels in")
        if self.optimization_level is not None:
            parts.append(f"optimisation level {self.optimization_level}")
        return ", ".join(parts) or "TensorRT's own limits"


def rungs(settings: TensorRtSettings, free_mb: float | None) -> list[Rung]:
    """The limits to try, the widest first. What the settings say holds for the first; later ones only go below it.

    free_mb: memory that the GPU can have, in MiB; None: not known, then the first try has TensorRT's own limits.
    """
    asked = Rung(settings.workspace_mb, settings.tactic_memory_mb, settings.optimization_level)
    room = free_mb if free_mb is not None else 2048.0
    first = (
        asked
        if free_mb is None
        else Rung(
            asked.workspace_mb or _share(room, 0.5),
            asked.tactic_memory_mb or _share(room, 0.75),
            asked.optimization_level,
        )
    )
    found = [first]
    for workspace, tactic, level in ((0.25, 0.5, 2), (0.1, 0.3, 1), (0.03, 0.15, 0)):
        last = found[-1]
        found.append(
            Rung(
                min(_share(room, workspace), last.workspace_mb or _share(room, workspace)),
                min(_share(room, tactic), last.tactic_memory_mb or _share(room, tactic)),
                min(level, last.optimization_level if last.optimization_level is not None else level),
            )
        )
    return found


def _share(room_mb: float, share: float) -> int:
    return max(16, int(room_mb * share))


def climb(order: Order, free_mb: float | None, say: Say) -> tuple[Built, Rung]:
    """Try until a plan is written or the limits cannot get smaller; returns what came out and the limits it came out with.

    Raises:
        BackendRefused: TensorRT refuses the model, or needs more memory than there is.
        RunFailed: TensorRT crashed on every try.
    """
    _say_memory(Path(order.onnx), free_mb, say)
    last: Refused | None = None
    tries = rungs(order.settings, free_mb)
    for number, rung in enumerate(tries, 1):
        limits = msgspec.structs.replace(
            order.settings,
            workspace_mb=rung.workspace_mb,
            tactic_memory_mb=rung.tactic_memory_mb,
            optimization_level=rung.optimization_level,
        )
        say.note(f"try {number} of {len(tries)}: {rung.words()}")
        said = _one_try(msgspec.structs.replace(order, settings=limits), say)
        if isinstance(said, Built):
            if number > 1:
                say.warn(
                    f"the plan came out at try {number} with less memory ({rung.words()}); it may be slower than with more"
                )
            return said, rung
        if not said.again:
            raise BackendRefused(said.what, fix=said.fix, ways=ON_THE_CPU if said.elsewhere else {})
        say.note(f"try {number} failed: {said.what}")
        last = said
    assert last is not None
    kind = RunFailed if "ended" in last.what else BackendRefused
    raise kind(f"{last.what}, on each of {len(tries)} tries with less and less memory", fix=last.fix)


def _say_memory(onnx: Path, free_mb: float | None, say: Say) -> None:
    needed_mb = _CUDA_MB + _WEIGHT_COPIES * onnx.stat().st_size / MIB
    if free_mb is None:
        say.note(f"memory: about {needed_mb:.0f} MB are needed; how much is free is not known")
        return
    say.note(f"memory: {free_mb:.0f} MB free, about {needed_mb:.0f} MB needed")
    if free_mb < needed_mb:
        say.warn(
            f"only {free_mb:.0f} MB of memory are free and the build needs about {needed_mb:.0f}: "
            "close other programs or add swap (sudo fallocate -l 4G /swapfile; mkswap; swapon)"
        )


def _one_try(order: Order, say: Say) -> Built | Refused:
    argv = [sys.executable, "-m", "edgetui.engine.backends.trt_worker"]
    last: Built | Refused | None = None
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process, _ending_after(process):
        try:
            assert process.stdin
            process.stdin.write(encode(order))
            process.stdin.close()
            for said in _heard(process, say):
                last = said
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


def _heard(process: subprocess.Popen[bytes], say: Say) -> Iterator[Built | Refused]:
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
            for said in map(decode, lines):
                if isinstance(said, Share):
                    share, phase = said.done, said.text
                elif isinstance(said, Line):
                    (say.warn if said.warning else say.note)(said.text)
                else:
                    yield said
            elapsed_s = time.monotonic() - began
            if share is None:
                say.progress(elapsed_s, None, f"s, {phase}")
            else:
                say.progress(round(100 * share, 1), 100, f"%, {phase}, {elapsed_s:.0f} s")


def _died(code: int) -> Refused:
    """A process that ended without a last word: killed for memory, or a fault inside TensorRT."""
    if code == -signal.SIGKILL:
        return Refused(
            what="the build was killed (out of memory?)",
            fix="close other programs or add swap, then try again",
            again=True,
        )
    name = signal.Signals(-code).name if code < 0 else f"code {code}"
    return Refused(what=f"TensorRT ended with {name}", fix="see the run's log.txt", again=True)
