"""Who else uses the processor, through psutil below EDGETUI_ROOT."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .psutil_below import psutil_below, unreadable
from .root_files import Files

if TYPE_CHECKING:
    from psutil import Process

_BUSY_SHARE = 0.1


def busy(files: Files, span_s: float) -> tuple[str, ...]:
    """Names of processes that use more than a tenth of a core over `span_s`, busiest first; those of our own session are not
    among them: a run has one, with all that it started.
    """
    others = (process for process in _processes(files) if files.root or not _ours(process))
    before = [(process, spent_s) for process in others if (spent_s := _spent_s(files, process)) is not None]
    time.sleep(span_s)
    shares = []
    for process, spent_s in before:
        now_s = _spent_s(files, process)
        if now_s is not None and (now_s - spent_s) / span_s > _BUSY_SHARE:
            shares.append(((now_s - spent_s) / span_s, _name(files, process)))
    return tuple(name for _, name in sorted(shares, reverse=True) if name)


def _processes(files: Files) -> Iterator[Process]:
    """Those that can be read now; other people's, and such as end meanwhile, may not be."""
    psutil = psutil_below(files)
    for name in files.names("/proc"):
        if name.isdigit():
            try:
                yield files.ask(f"/proc/{name}/stat", psutil.Process, int(name))
            except unreadable():
                continue


def _ours(process: Process) -> bool:
    try:
        return os.getsid(process.pid) == os.getsid(0)
    except OSError:  # it is gone
        return False


def _spent_s(files: Files, process: Process) -> float | None:
    """Seconds of a core that it has used so far; None: it is gone, or cannot be read."""
    try:
        times = files.ask(f"/proc/{process.pid}/stat", process.cpu_times)
    except unreadable():
        return None
    return float(times.user + times.system)


def _name(files: Files, process: Process) -> str:
    try:
        return str(files.ask(f"/proc/{process.pid}/cmdline", process.name))
    except unreadable():
        return ""
