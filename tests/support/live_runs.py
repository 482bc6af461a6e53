"""Watching and breaking real runs from tests."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from edgetui.engine.api import Engine
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema import events

BORDERS = (events.StageBegan, events.StageEnded, events.StageFailed)
"""What stands between stages: after the first of these a stage works, however much it says."""


def end_all(home: Path) -> None:
    """Leave no process of a failed test behind."""
    for path in (home / "runs").glob("*"):
        pid = RunDir(path).pid()
        if pid:
            os.killpg(pid, signal.SIGKILL)


async def ended(engine: Engine, run: str, limit_s: float = 120) -> list[events.AnyEvent]:
    """All events of a run, once it has ended."""

    async def collect() -> list[events.AnyEvent]:
        return [event async for event in engine.watch(run)]

    return await asyncio.wait_for(collect(), limit_s)


async def until_stage(engine: Engine, run: str, stage: str, limit_s: float = 120) -> RunDir:
    """Return as soon as a stage that is not cached has begun."""
    folder = RunDir.find(engine.home, run)
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        borders = [event for event in folder.events() if isinstance(event, BORDERS)]
        if borders and isinstance(borders[-1], events.StageBegan) and borders[-1].stage == stage:
            return folder
        result = folder.result()
        assert result is None, f"ended before {stage}: {result}"
        await asyncio.sleep(0.01)
    raise AssertionError(f"{stage} did not begin")


def kill_supervisor(folder: RunDir) -> None:
    """SIGKILL the supervisor alone; its children have to go by themselves."""
    pid = folder.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while folder.alive() and time.monotonic() < end:
        time.sleep(0.01)
    assert not folder.alive()
