"""Questions that may never be answered: who asks does not wait for ever, and what does not answer is named and left alone.

A read of a file in /sys, or a call into a driver, cannot be taken back: the thread that made it is lost until the kernel
answers. So work that asks sensors is done in a thread that can be left behind. `ask` notes what a thread asks, which costs
a microsecond; `patiently` watches that, and where one question takes too long it begins the work anew in another thread,
which passes that question over. When the answer comes after all, the question may be asked again.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

DEADLINE_S = 1.0
"""An INA3221 that averages over 64 conversions answers after 0.4 s; nothing sound takes longer."""
_SHORT_S = 0.5
"""The deadline where something hangs already, or for what has hung before."""
_MANY, _SHORTEST_S = 3, 0.2
"""The deadline where so much hangs already: a dead chip has two dozen files."""
_LOOK_S, _CLOSE_LOOK_S = 0.25, 0.05
_LONGEST_PAUSE_S = 60.0

T = TypeVar("T")


class LeftBehind(BaseException):
    """Ends a thread whose question was answered too late: its work has been begun anew."""


class _Attempt(Generic[T]):
    """Some work in a thread of its own, and what it asks at this moment."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.asking = ""
        self.asked = 0
        self.left_behind = False
        self.done = threading.Event()
        self._work = work
        self._found: list[T] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="patience", daemon=True).start()  # a daemon does not hold the process

    def _run(self) -> None:
        _here.attempt = self
        try:
            self._found.append(self._work())
        except BaseException as error:
            self._error = error
        self.done.set()

    def result(self) -> T:
        """What the work gave, or its error."""
        if self._error is not None:
            raise self._error
        return self._found[0]


_here = threading.local()
_lock = threading.Lock()
_asleep: dict[str, float] = {}
"""What has hung: monotonic second from which it may be asked again; infinite while it hangs."""
_pauses_s: dict[str, float] = {}


def ask(name: str, question: Callable[..., T], *arguments: object) -> T:
    """`question(*arguments)`.

    Raises:
        TimeoutError: the question of this name hangs, or did a moment ago.
    """
    if name in _asleep and time.monotonic() < _asleep[name]:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), name)
    attempt: _Attempt[object] | None = getattr(_here, "attempt", None)
    if attempt is None:
        return question(*arguments)
    attempt.asked += 1
    attempt.asking = name
    try:
        return question(*arguments)
    finally:
        with _lock:
            attempt.asking = ""
            if attempt.left_behind:
                _asleep[name] = time.monotonic() + _pauses_s[name]
                raise LeftBehind


def patiently(work: Callable[[], T], seconds: float | None = None) -> T:
    """What `work` returns. When one of its questions hangs it is begun anew, and must bear that.

    Raises:
        TimeoutError: it takes more than `seconds` in all; it goes on in its thread, and nobody waits for it.
    """
    if getattr(_here, "attempt", None) is not None:
        return work()
    end_s = float("inf") if seconds is None else time.monotonic() + seconds
    while True:
        attempt = _Attempt(work)
        same_s, asked = 0.0, 0
        while not attempt.done.wait(look_s := _CLOSE_LOOK_S if _hanging() >= _MANY else _LOOK_S):
            # looks are counted, not seconds: a process that was stopped, or swapped out, has not waited
            same_s = same_s + look_s if attempt.asked == asked else 0.0
            asked = attempt.asked
            if time.monotonic() > end_s:
                raise TimeoutError(errno.ETIMEDOUT, f"no answer within {seconds:g} s")
            if same_s and _give_up(attempt, same_s, asked):
                break
        else:
            return attempt.result()


def _give_up(attempt: _Attempt[T], waited_s: float, asked: int) -> bool:
    """Leave the thread behind if its question has had its time."""
    with _lock:
        name = attempt.asking
        hanging = _hanging()
        deadline_s = _SHORTEST_S if hanging >= _MANY else _SHORT_S if hanging or name in _pauses_s else DEADLINE_S
        if not name or attempt.asked != asked or waited_s < deadline_s:
            return False
        attempt.left_behind = True
        _asleep[name] = float("inf")
        _pauses_s[name] = min(2 * _pauses_s.get(name, 0.5), _LONGEST_PAUSE_S)
        return True


def _hanging() -> int:
    """How many questions have had no answer yet."""
    return sum(until_s == float("inf") for until_s in tuple(_asleep.values()))


def unanswered() -> tuple[str, ...]:
    """What hangs now, or did a moment ago."""
    now_s = time.monotonic()
    with _lock:
        return tuple(name for name, until_s in _asleep.items() if now_s < until_s)


def has_hung() -> tuple[str, ...]:
    """What has hung in this process at any time."""
    with _lock:
        return tuple(_pauses_s)
