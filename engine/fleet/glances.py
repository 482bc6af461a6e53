"""What a board is doing now: its run and stage, what is timed, power and temperature. Read when somebody looks, else never."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..errors import EdgetuiError
from ..runs.folder import RunDir, run_paths
from ..runs.index import current_stage, waiting_for
from ..schema.events import AnyEvent, Reading, StageBegan
from ..schema.fleet import BoardGlance
from ..system.disk import read_disk
from ..telemetry.single_sample import once


def look(home: Path) -> BoardGlance:
    """Now; takes a third of a second where nothing is measured, whose power would have ours in it."""
    alive = [run for path in run_paths(home) if (run := RunDir(path)).alive()]
    pasts = {run.name: run.last_events() for run in alive}
    working = [name for name, past in pasts.items() if not waiting_for(past)]
    past: list[AnyEvent] = pasts[working[0]] if working else []
    timed = next((event for event in reversed(past) if isinstance(event, Reading) and event.side != "baseline"), None)
    begun = next((event for event in reversed(past) if isinstance(event, StageBegan)), None)
    stage = current_stage(past)
    power, warmest, free = None, None, None
    if not (stage and begun is not None and begun.measures):
        timed = None
        with suppress(EdgetuiError, OSError):
            sample = once("auto")[0]
            power = sample.total_mw / 1000 if sample.total_mw is not None else None
            warmest = max((value for value in sample.temps_c.values() if value is not None), default=None)
    with suppress(OSError):
        free = read_disk(home).free_bytes / 1e6
    return BoardGlance(
        run=working[0] if working else "",
        stage=stage,
        waiting=len(alive) - len(working),
        latency_ms=timed.latency_ms if timed else None,
        fps=1000 / timed.latency_ms if timed and timed.latency_ms > 0 else None,
        power_w=power,
        temp_c=warmest,
        free_mb=free,
    )
